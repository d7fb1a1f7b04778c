import type { ApiError } from '../api/errors';
import { useSpeech } from '../i18n/Language';
import { problemText } from '../i18n/wording';
import { Notice } from './Notice';

const NO_USE_REPEATING = new Set(['invalid_request', 'not_found', 'image_unavailable']);

/** A failed call, in the user's language, with what to do about it. */
export function Problem({
  error,
  retry,
  testId = 'general-error',
}: {
  error: ApiError;
  retry?: () => void;
  testId?: string;
}) {
  const { t } = useSpeech();
  const action =
    error.kind === 'expired'
      ? { label: t.reloadPage, run: () => location.reload() }
      : retry && !NO_USE_REPEATING.has(error.code)
        ? { label: t.tryAgain, run: retry }
        : undefined;
  return (
    <Notice tone="error" testId={testId} action={action}>
      {problemText(t, error)}
    </Notice>
  );
}
