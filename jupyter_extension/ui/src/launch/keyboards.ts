import type { Dictionary } from '../i18n/languages/en';
import type { Language } from '../i18n/languages';

/**
 * X11 layouts by what they are called: mostly the language that is written with them.
 * Their own names are those of countries, and "Canada" would not say that it is the French one.
 */
const LAYOUTS: Readonly<Record<string, string>> = {
  us: 'en-US',
  gb: 'en-GB',
  ie: 'en-IE',
  de: 'de',
  at: 'de-AT',
  ch: 'de-CH',
  'ch(fr)': 'fr-CH',
  fr: 'fr',
  ca: 'fr-CA',
  be: 'BE',
  nl: 'nl',
  es: 'es',
  latam: 'es-419',
  pt: 'pt-PT',
  br: 'pt-BR',
  it: 'it',
  dk: 'da',
  no: 'no',
  se: 'sv',
  fi: 'fi',
  is: 'is',
  ee: 'et',
  lv: 'lv',
  lt: 'lt',
  pl: 'pl',
  cz: 'cs',
  sk: 'sk',
  hu: 'hu',
  ro: 'ro',
  bg: 'bg',
  hr: 'hr',
  si: 'sl',
  rs: 'sr',
  gr: 'el',
  tr: 'tr',
  ru: 'ru',
  ua: 'uk',
  il: 'he',
  ara: 'ar',
  ir: 'fa',
  in: 'IN',
  th: 'th',
  vn: 'vi',
  cn: 'zh-CN',
  tw: 'zh-TW',
  jp: 'ja',
  kr: 'ko',
};

const HAS_VARIANT = /^(\w+)\(([^()]+)\)$/;

/** "German, no dead keys"; a layout that is not known here keeps its code. */
export function keyboardName(t: Dictionary, language: Language, code: string): string {
  const [, layout = code, variant] = LAYOUTS[code] ? [] : (HAS_VARIANT.exec(code) ?? []);
  const place = LAYOUTS[layout];
  if (!place) {
    return code;
  }
  const isRegion = place === place.toUpperCase();
  const names = new Intl.DisplayNames(language, {
    type: isRegion ? 'region' : 'language',
    style: 'short',
    languageDisplay: 'standard',
  });
  const name = names.of(place) ?? code;
  const variants: Record<string, string> = t.keyboardVariants;
  return variant ? `${name}, ${variants[variant] ?? variant}` : name;
}
