import { useCallback, useEffect, useState } from 'react';

import type { Image, Site } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { imageIn } from '../i18n/naming';
import { Problem } from '../parts/Problem';
import { useTask } from '../parts/useTask';
import { useFeed, usePortal } from '../sessions/Portal';
import { LaunchForm } from './LaunchForm';

/** Fetches what can be launched, then shows the form. */
export function LaunchPanel() {
  const { t, language } = useSpeech();
  const { client } = usePortal();
  const { link } = useFeed();
  const { run, error, busy } = useTask();
  const [offer, setOffer] = useState<{ site: Site; images: Image[] } | null>(null);

  const load = useCallback(
    () =>
      run(async () => {
        const [site, images] = await Promise.all([client.site(), client.images()]);
        setOffer({ site, images });
      }),
    [client, run],
  );
  const portalIsBack = link === 'live';
  useEffect(() => {
    if (!offer) {
      load();
    }
    // Once the portal answers again there is no reason to wait for somebody to press the button.
  }, [load, portalIsBack, offer]);

  if (offer) {
    return (
      <LaunchForm
        site={offer.site}
        images={offer.images.map((image) => imageIn(language, image))}
      />
    );
  }
  return (
    <section className="panel launch" aria-busy={busy}>
      <h2>{t.launch.title}</h2>
      {error ? <Problem error={error} retry={load} /> : <p className="quiet">{t.loading}</p>}
    </section>
  );
}
