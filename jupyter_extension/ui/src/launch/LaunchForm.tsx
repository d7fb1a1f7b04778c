import { useMemo, useRef, useState, type FormEvent } from 'react';

import type { Image, Site } from '../api/types';
import { useSpeech } from '../i18n/Language';
import { retrying } from '../i18n/wording';
import { Problem } from '../parts/Problem';
import { useFeed, usePortal } from '../sessions/Portal';
import { sessionsOf } from '../sessions/reducer';
import { hasEnded } from '../sessions/status';
import { chooseImage } from './chooseImage';
import {
  check,
  firstWhere,
  requestOf,
  sizeOfWindow,
  startingValues,
  type FormValues,
} from './form';
import { revealCard } from '../sessions/revealCard';
import { ImageCards } from './ImageCards';
import { messagesFromServer, messagesOf } from './messages';
import { OptionFields, type FieldMessages } from './OptionFields';
import { Remembered } from './remembered';
import { sizeWords, summaryOf } from './summary';
import { useLaunch } from './useLaunch';
import { WhereChoice } from './WhereChoice';

export function LaunchForm({ site, images }: { site: Site; images: readonly Image[] }) {
  const { t, language } = useSpeech();
  const { settings } = usePortal();
  const remembered = useMemo(() => new Remembered(settings.user), [settings.user]);
  const valuesFor = (id: string): FormValues => {
    const chosen = images.find((one) => one.id === id) ?? null;
    return startingValues(remembered.optionsOf(id), site, chosen);
  };

  const [image, setImage] = useState(() =>
    chooseImage(images, remembered.lastImage(), site.defaults.image),
  );
  const [values, setValues] = useState(() => valuesFor(image?.id ?? site.defaults.image));
  const [wrong, setWrong] = useState<FieldMessages>({});
  const [where, setWhere] = useState(() => firstWhere(site));
  const [unfolded, setUnfolded] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const { launch, busy, error, retry, clear } = useLaunch();

  const fromServer = error ? messagesFromServer(error.fields) : null;
  const messages = fromServer ?? wrong;

  const complain = (found: FieldMessages): void => {
    setWrong(found);
    setUnfolded(true);
    const first = Object.keys(found)[0];
    requestAnimationFrame(() =>
      form.current?.querySelector<HTMLElement>(`#field-${first}`)?.focus(),
    );
  };

  const submit = (event?: FormEvent): void => {
    event?.preventDefault();
    if (!image) {
      return;
    }
    const found = messagesOf(t, check(values, site.limits));
    if (Object.keys(found).length > 0) {
      clear();
      complain(found);
      return;
    }
    setWrong({});
    launch(requestOf(image.id, values, where, sizeOfWindow(site.limits)), (session) => {
      remembered.keep(image.id, values);
      revealCard(session.session_id);
    });
  };

  return (
    <form className="panel launch" ref={form} onSubmit={submit} noValidate aria-busy={busy}>
      <h2>{t.launch.title}</h2>
      <WhereChoice site={site} chosen={where} onChoose={setWhere} />
      {images.length === 0 && <p className="quiet">{t.launch.noImages}</p>}
      {images.length > 0 && (
        <ImageCards
          images={images}
          chosen={image?.id ?? null}
          onChoose={(id) => {
            setImage(images.find((candidate) => candidate.id === id) ?? null);
            setValues(valuesFor(id));
            setWrong({});
            clear();
          }}
        />
      )}
      <details
        className="options"
        open={unfolded || fromServer !== null}
        onToggle={(event) => setUnfolded(event.currentTarget.open)}
      >
        <summary>
          <span>{t.launch.options}</span>
          <span className="options-summary">
            {where === 'here'
              ? t.launch.screen(sizeWords(t, values), values.fps)
              : summaryOf(t, language, values)}
          </span>
        </summary>
        <OptionFields
          values={values}
          limits={site.limits}
          keyboards={site.keyboards ?? []}
          messages={messages}
          where={where}
          onChange={(changes) => setValues((before) => ({ ...before, ...changes }))}
        />
        {site.partition && where !== 'here' && (
          <p className="quiet">{t.launch.queueName(site.partition, site.qos ?? '')}</p>
        )}
      </details>
      <LimitHint max={site.limits.sessions.max} />
      {error && !fromServer && <Problem error={error} retry={() => submit()} />}
      <button
        type="submit"
        className="button button-primary button-launch"
        data-testid="launch"
        disabled={busy || !image}
      >
        {busy ? (retry ? retrying(t, retry) : t.launch.launching) : t.launch.launch}
      </button>
    </form>
  );
}

function LimitHint({ max }: { max: number }) {
  const { t } = useSpeech();
  const feed = useFeed();
  const live = sessionsOf(feed).filter((session) => !hasEnded(session.status)).length;
  return live >= max ? <p className="hint">{t.launch.limitNear(live, max)}</p> : null;
}
