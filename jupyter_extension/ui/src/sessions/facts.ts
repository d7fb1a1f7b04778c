import type { Session } from '../api/types';
import type { Dictionary } from '../i18n/en';
import { encoderOf } from './status';

export interface Fact {
  label: string;
  value: string;
}

/** What is known about a running session; what the server did not find out is left out. */
export function factsOf(t: Dictionary, session: Session): Fact[] {
  const { node, display_num, gl_renderer, audio } = session;
  const words = t.session;
  const facts: [string, string | null | undefined][] = [
    [words.node, node],
    [words.display, display_num === null ? null : `:${display_num}`],
    [words.encoder, encoderOf(session)],
    [words.openGl, gl_renderer],
    [words.sound, audio == null ? null : audio ? words.soundOn : words.soundOff],
  ];
  return facts.flatMap(([label, value]) => (value ? [{ label, value }] : []));
}
