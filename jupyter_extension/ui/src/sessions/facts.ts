import type { Session } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';
import { encoderOf } from './status';

export interface Fact {
  label: string;
  value: string;
  /** It is the same in every language: what a machine or a program is called. */
  named: boolean | undefined;
}

/** What is known about a running session; what the server did not find out is left out. */
export function factsOf(t: Dictionary, session: Session): Fact[] {
  const { node, display_num, gl_renderer, audio, clipboard, files } = session;
  const words = t.session;
  const running = session.status === 'running';
  const facts: [string, string | null | undefined, named?: boolean][] = [
    [words.node, node, true],
    [words.display, display_num === null ? null : `:${display_num}`],
    [words.screen, session.screen?.replace('x', ' × ')],
    [words.encoder, encoderOf(session), true],
    [words.openGl, gl_renderer, true],
    [words.sound, audio == null ? null : audio ? words.soundOn : words.soundOff],
    // Before it runs nothing may go anywhere, which would not be worth a line.
    [words.clipboard, running && clipboard ? words.ways[clipboard] : null],
    [words.files, running && files ? words.ways[files] : null],
  ];
  return facts.flatMap(([label, value, named]) => (value ? [{ label, value, named }] : []));
}
