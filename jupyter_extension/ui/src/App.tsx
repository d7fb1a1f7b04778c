import { LanguageProvider } from './i18n/Language';
import { HomePage } from './home/HomePage';
import { PageGuard } from './parts/PageGuard';
import { PortalProvider } from './sessions/Portal';
import { routeOf } from './routes';
import { ViewerPage } from './viewer/ViewerPage';
import type { PageSettings } from './config';

export function App({ settings, pathname }: { settings: PageSettings; pathname: string }) {
  const route = routeOf(pathname);
  return (
    <LanguageProvider>
      <PortalProvider settings={settings}>
        <PageGuard>
          {route.page === 'viewer' ? <ViewerPage sessionId={route.sessionId} /> : <HomePage />}
        </PageGuard>
      </PortalProvider>
    </LanguageProvider>
  );
}
