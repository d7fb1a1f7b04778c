import { en, type Words } from './en';
import { ko } from './ko';

export type { Words };

const LANGUAGES = [en, ko];

/** The words of the language that JupyterLab speaks, such as `ko_KR`; else English. */
export function wordsOf(code: string): Words {
  const language = code.split(/[-_]/)[0];
  return LANGUAGES.find(({ tag }) => tag === language) ?? en;
}
