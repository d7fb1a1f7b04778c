import { Icon, type IconName } from '../parts/Icon';

interface ToolProps {
  icon: IconName;
  label: string;
  testId?: string;
  opensDialog?: boolean;
  onPress: () => void;
}

/** One button of the toolbar; on a phone only its icon is shown. */
export function Tool({ icon, label, testId, opensDialog, onPress }: ToolProps) {
  return (
    <button
      type="button"
      className="tool"
      data-testid={testId}
      aria-label={label}
      aria-haspopup={opensDialog ? 'dialog' : undefined}
      title={label}
      onClick={onPress}
    >
      <Icon name={icon} size={17} />
      <span className="tool-label">{label}</span>
    </button>
  );
}
