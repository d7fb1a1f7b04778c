import type { ClipboardText, ClipboardWays, Session } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';

export interface Ways {
  toDesktop: boolean;
  fromDesktop: boolean;
}

const WAYS: Readonly<Record<ClipboardWays, Ways>> = {
  both: { toDesktop: true, fromDesktop: true },
  to_desktop: { toDesktop: true, fromDesktop: false },
  from_desktop: { toDesktop: false, fromDesktop: true },
  off: { toDesktop: false, fromDesktop: false },
};

/** What the site allows; a server that says nothing, or something new, allows nothing. */
export const waysOf = ({ clipboard = 'off' }: Pick<Session, 'clipboard'>): Ways =>
  WAYS[clipboard] ?? WAYS.off;

/** The same of files. */
export const fileWaysOf = ({ files = 'off' }: Pick<Session, 'files'>): Ways =>
  WAYS[files] ?? WAYS.off;

export const isUsable = ({ toDesktop, fromDesktop }: Ways): boolean => toDesktop || fromDesktop;

/** The sentence about the direction that is missing. */
export function limitOf({ clipboard }: Dictionary, { toDesktop, fromDesktop }: Ways): string {
  if (toDesktop && fromDesktop) {
    return '';
  }
  return toDesktop ? clipboard.onlyToDesktop : clipboard.onlyFromDesktop;
}

/** With the line ends of a text area: it would change others itself, and drop the selection each time. */
export const received = ({ text }: ClipboardText): string => text.replace(/\r\n?/g, '\n');

/** What to say about an answer. */
export function answerText({ clipboard }: Dictionary, { text, truncated }: ClipboardText): string {
  if (truncated) {
    return clipboard.gotPart;
  }
  return text ? clipboard.got : clipboard.gotNothing;
}
