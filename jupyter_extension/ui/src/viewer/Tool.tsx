import { Icon, type IconName } from '../parts/Icon';

interface ToolProps {
  icon: IconName;
  label: string;
  /** What the tool is about now, as a colour beside its name says it. */
  state?: { word: string; tone: 'good' | 'bad' | 'none' };
  testId?: string;
  opensDialog?: boolean;
  onPress: () => void;
}

/** One button of the toolbar; where there is little room its name stands below its icon. */
export function Tool({ icon, label, state, testId, opensDialog, onPress }: ToolProps) {
  const name = state ? `${label}: ${state.word}` : label;
  return (
    <button
      type="button"
      className="tool"
      data-testid={testId}
      data-tone={state?.tone}
      aria-label={name}
      aria-haspopup={opensDialog ? 'dialog' : undefined}
      title={name}
      onClick={onPress}
    >
      <Icon name={icon} size={17} />
      <span className="tool-label">{label}</span>
    </button>
  );
}
