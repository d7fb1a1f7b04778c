import { useSpeech } from '../i18n/Language';
import { LANGUAGES } from '../i18n/languages';
import { usePortal } from '../sessions/Portal';
import { Crescent } from './Crescent';

export function Header() {
  const { t, language, setLanguage } = useSpeech();
  const { settings, door } = usePortal();
  const brand = (
    <>
      <Crescent size={34} />
      <span>
        <strong>{t.product}</strong>
        <span className="tagline">{t.tagline}</span>
      </span>
    </>
  );
  return (
    <header className="sky">
      <a className="skip-link" href="#content">
        {t.skipToContent}
      </a>
      <div className="sky-bar">
        {door.home ? (
          <a className="brand" href={door.home}>
            {brand}
          </a>
        ) : (
          <span className="brand">{brand}</span>
        )}
        <div className="sky-tools">
          <span className="user" title={t.signedInAs(settings.user)}>
            <span className="visually-hidden">{t.signedInAs(settings.user)}</span>
            <span aria-hidden="true">{settings.user}</span>
          </span>
          <label>
            <span className="visually-hidden">{t.language}</span>
            <select
              className="language"
              value={language}
              onChange={(event) => setLanguage(event.target.value)}
            >
              {[...LANGUAGES].map(([code, { name }]) => (
                <option key={code} value={code} lang={code}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        </div>
      </div>
    </header>
  );
}
