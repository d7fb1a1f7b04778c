import { useSpeech } from '../i18n/Language';
import { problemText } from '../i18n/wording';
import { useFeed } from '../sessions/Portal';
import { Notice } from './Notice';
import { StartServer } from './StartServer';

/** Says when the page no longer hears from the portal, and what it does about it. */
export function LinkNotice() {
  const { t } = useSpeech();
  const { link, loaded, trouble } = useFeed();
  if (link === 'expired') {
    const action = { label: t.reloadPage, run: () => location.reload() };
    return (
      <Notice tone="error" action={action}>
        {t.link.expired}
      </Notice>
    );
  }
  if (link === 'stopped') {
    return (
      <Notice tone="warning" link={<StartServer />}>
        {t.link.stopped}
      </Notice>
    );
  }
  if (link === 'lost') {
    return (
      <Notice tone="warning">
        {loaded ? '' : `${t.sessions.couldNotLoad} `}
        {trouble ? `${problemText(t, trouble)} ${t.link.again}` : t.link.lost}…
      </Notice>
    );
  }
  return link === 'polling' ? <Notice tone="info">{t.link.polling}</Notice> : null;
}
