import { useRef, useState, type FormEvent } from 'react';

import type { Image, Site } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';
import { useSpeech } from '../i18n/Language';
import { problemText, retrying } from '../i18n/wording';
import { Problem } from '../parts/Problem';
import { MOST_NAME_SIGNS } from '../sessions/called';
import { useFeed } from '../sessions/Portal';
import { sessionsOf } from '../sessions/reducer';
import { revealCard } from '../sessions/revealCard';
import { hasEnded } from '../sessions/status';
import { CostLine } from './CostLine';
import { describedBy, Field } from './Field';
import type { Told } from './keeper';
import { check, firstWhere, requestOf, sizeOfWindow } from './form';
import { ImageCards } from './ImageCards';
import { messagesFromServer, messagesOf } from './messages';
import { OptionFields, type FieldMessages } from './OptionFields';
import { PresetBar, PresetTools } from './PresetBar';
import { PresetDialog } from './PresetDialog';
import { sizeWords, summaryOf } from './summary';
import { useChoices } from './useChoices';
import { useLaunch } from './useLaunch';
import { AT_ONCE, whenOf } from './when';
import { WhenFields } from './WhenFields';
import { WhereChoice } from './WhereChoice';

export function LaunchForm({ site, images }: { site: Site; images: readonly Image[] }) {
  const { t, language } = useSpeech();
  const choices = useChoices(site, images);
  const { image, values, presets, preset } = choices;
  const [name, setName] = useState('');
  const [when, setWhen] = useState(AT_ONCE);
  const [wrong, setWrong] = useState<FieldMessages>({});
  const [where, setWhere] = useState(() => firstWhere(site));
  const [unfolded, setUnfolded] = useState(false);
  const [asks, setAsks] = useState<'save' | 'rename' | null>(null);
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
  const settle = (): void => {
    setWrong({});
    clear();
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
    const wanted = requestOf(image.id, values, where, sizeOfWindow(site.limits));
    const request = where === 'here' ? wanted : { ...wanted, ...whenOf(when) };
    launch(name.trim() ? { ...request, name: name.trim() } : request, (session) => {
      choices.remember();
      setName('');
      setWhen(AT_ONCE);
      revealCard(session.session_id);
    });
  };

  return (
    <>
      <form className="panel launch" ref={form} onSubmit={submit} noValidate aria-busy={busy}>
        <h2>{t.launch.title}</h2>
        <PresetBar
          presets={presets}
          chosen={preset}
          onChoose={(chosen) => {
            choices.choosePreset(chosen);
            settle();
          }}
        />
        {choices.fellBack.length > 0 && (
          <p className="hint" role="status" data-testid="fell-back">
            {t.choices.fellBack(choices.fellBack)}
          </p>
        )}
        {choices.told && (
          <p className="hint" role="status" data-testid="choices-told">
            {toldWords(t, choices.told)}
          </p>
        )}
        <WhereChoice site={site} chosen={where} onChoose={setWhere} />
        {images.length === 0 && <p className="quiet">{t.launch.noImages}</p>}
        {images.length > 0 && (
          <ImageCards
            images={images}
            chosen={image?.id ?? null}
            onChoose={(id) => {
              choices.chooseImage(id);
              settle();
            }}
          />
        )}
        {site.names && (
          <Field field="name" label={t.desktops.nameOptional} message={messages.name}>
            <input
              id="field-name"
              name="name"
              type="text"
              autoComplete="off"
              maxLength={MOST_NAME_SIGNS}
              value={name}
              aria-invalid={messages.name ? true : undefined}
              aria-describedby={messages.name && describedBy('name', messages.name)}
              onChange={(event) => setName(event.target.value)}
            />
          </Field>
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
            onChange={choices.change}
          />
          {where !== 'here' && (
            <WhenFields site={site} when={when} messages={messages} onChange={setWhen} />
          )}
          {site.partition && where !== 'here' && (
            <p className="quiet">{t.launch.queueName(site.partition, site.qos ?? '')}</p>
          )}
          <PresetTools
            chosen={preset}
            onSave={() => setAsks('save')}
            onRename={() => setAsks('rename')}
            onDelete={choices.deletePreset}
          />
        </details>
        <CostLine site={site} values={values} where={where} />
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
      {asks && (
        <PresetDialog
          presets={presets}
          renames={asks === 'rename' ? preset : ''}
          here={choices.here}
          onName={asks === 'rename' ? choices.renamePreset : choices.savePreset}
          onClose={() => setAsks(null)}
        />
      )}
    </>
  );
}

function toldWords(t: Dictionary, told: Told): string {
  switch (told.kind) {
    case 'merged':
      return t.choices.merged;
    case 'damaged':
      return t.choices.damaged(told.file);
    case 'unkept':
      return t.choices.unkept(problemText(t, told.error));
  }
}

function LimitHint({ max }: { max: number }) {
  const { t } = useSpeech();
  const feed = useFeed();
  const live = sessionsOf(feed).filter((session) => !hasEnded(session.status)).length;
  return live >= max ? <p className="hint">{t.launch.limitNear(live, max)}</p> : null;
}
