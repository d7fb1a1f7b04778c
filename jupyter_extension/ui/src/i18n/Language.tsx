import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';

import { readStored, writeStored } from '../parts/storage';
import { en, type Dictionary } from './en';
import { ko } from './ko';

export const LANGUAGES = { en: 'English', ko: '한국어' } as const;
export type Language = keyof typeof LANGUAGES;

const STORED_AS = 'moonlight:language';
const DICTIONARIES: Record<Language, Dictionary> = { en, ko };

export function chooseLanguage(stored: string | null, browser: readonly string[]): Language {
  if (stored === 'en' || stored === 'ko') {
    return stored;
  }
  const known = browser.map((tag) => tag.slice(0, 2)).find((tag) => tag === 'en' || tag === 'ko');
  return known === 'ko' ? 'ko' : 'en';
}

interface Speech {
  t: Dictionary;
  language: Language;
  setLanguage: (language: Language) => void;
}

const LanguageContext = createContext<Speech | null>(null);

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(() =>
    chooseLanguage(readStored<string>(STORED_AS), navigator.languages ?? [navigator.language]),
  );
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const speech = useMemo(
    () => ({
      t: DICTIONARIES[language],
      language,
      setLanguage: (chosen: Language) => {
        writeStored(STORED_AS, chosen);
        setLanguage(chosen);
      },
    }),
    [language],
  );
  return <LanguageContext value={speech}>{children}</LanguageContext>;
}

export function useSpeech(): Speech {
  const speech = useContext(LanguageContext);
  if (!speech) {
    throw new Error('useSpeech is used outside of LanguageProvider.');
  }
  return speech;
}
