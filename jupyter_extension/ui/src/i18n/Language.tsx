import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';

import { readText, writeStored } from '../parts/storage';
import { chooseLanguage, LANGUAGES, type Language } from './languages';
import { en, type Dictionary } from './languages/en';

const STORED_AS = 'moonlight:language';

interface Speech {
  t: Dictionary;
  language: Language;
  setLanguage: (language: Language) => void;
}

const LanguageContext = createContext<Speech | null>(null);

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(() =>
    chooseLanguage(readText(STORED_AS), navigator.languages ?? [navigator.language]),
  );
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const speech = useMemo(
    () => ({
      t: LANGUAGES.get(language)?.words ?? en,
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
