import type { Image, Session } from '../api/types';
import type { Language } from './languages';

/** Images by the names that the site gives them in this language; others keep the one they have. */
export const imageIn = (language: Language, image: Image): Image => ({
  ...image,
  name: image.names?.[language] ?? image.name,
  description: image.descriptions?.[language] ?? image.description,
});

const renamed = new WeakMap<Session, Map<Language, Session>>();

/** The same object each time: what has not changed is not drawn again. */
export function sessionIn(language: Language, session: Session): Session {
  const name = session.image_names?.[language];
  if (!name) {
    return session;
  }
  const known = renamed.get(session) ?? new Map<Language, Session>();
  renamed.set(session, known);
  const found = known.get(language) ?? { ...session, image_name: name };
  known.set(language, found);
  return found;
}
