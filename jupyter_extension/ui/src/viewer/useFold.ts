import {
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  type MouseEvent,
  type PointerEvent,
  type RefObject,
} from 'react';

const SHOWN_AT_FIRST_MS = 4_000;
const LINGERS_MS = 900;
/** A press that follows the bar's opening this soon was meant for what lay there before. */
export const SAME_GESTURE_MS = 500;

/** Whether a press may act: a keyboard's always, a pointer's only once the bar has been seen. */
export const mayAct = (
  openedAt: number,
  { timeStamp, detail }: Pick<Event, 'timeStamp'> & { detail: number },
): boolean => detail === 0 || timeStamp - openedAt > SAME_GESTURE_MS;

/**
 * When the tools are shown: at first, under the mouse, while they are used. `onLeft` gives the
 * keyboard back when they fold by themselves.
 */
export function useFold(bar: RefObject<HTMLElement | null>, onLeft: () => void) {
  const [open, setOpen] = useState(true);
  const folding = useRef<ReturnType<typeof setTimeout>>(undefined);
  const openedAt = useRef(-Infinity);

  const stay = useCallback(() => clearTimeout(folding.current), []);
  const unfold = useCallback(
    (at = -Infinity) => {
      stay();
      openedAt.current = at;
      setOpen(true);
    },
    [stay],
  );
  const fold = useCallback(() => {
    stay();
    setOpen(false);
  }, [stay]);
  const foldSoon = useCallback(
    (after = LINGERS_MS) => {
      stay();
      folding.current = setTimeout(() => {
        const element = bar.current;
        // A press leaves the focus here too; only who came by the keyboard still uses it.
        if (!element || element.matches(':hover') || element.querySelector(':focus-visible')) {
          return;
        }
        setOpen(false);
        if (element.contains(document.activeElement)) {
          onLeft();
        }
      }, after);
    },
    [bar, stay, onLeft],
  );
  useEffect(() => {
    foldSoon(SHOWN_AT_FIRST_MS);
    return stay;
  }, [foldSoon, stay]);

  const events = useMemo(
    () => ({
      onPointerEnter: stay,
      onPointerLeave: () => foldSoon(),
      onBlur: () => foldSoon(),
    }),
    [stay, foldSoon],
  );
  const ofHandle = {
    onPointerEnter: ({ pointerType, timeStamp }: PointerEvent): void => {
      // A tap enters as well, right before it clicks.
      if (pointerType === 'mouse' && !open) {
        unfold(timeStamp);
      }
    },
    onClick: ({ nativeEvent }: MouseEvent): void => {
      if (!open) {
        unfold(nativeEvent.detail === 0 ? undefined : nativeEvent.timeStamp);
      } else if (mayAct(openedAt.current, nativeEvent)) {
        fold();
      }
    },
  };
  const ofTools = {
    onClickCapture: (event: MouseEvent): void => {
      if (!mayAct(openedAt.current, event.nativeEvent)) {
        event.preventDefault();
        event.stopPropagation();
      }
    },
  };
  return { open, unfold, fold, events, ofHandle, ofTools };
}
