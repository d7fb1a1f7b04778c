const PATHS = {
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  cross: 'M7 7l10 10M17 7L7 17',
  warning: 'M12 3.5L2.5 20h19L12 3.5zM12 10v4.5M12 17.2v.3',
  info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5.5M12 7.6v.3',
  stop: 'M7 7h10v10H7z',
  log: 'M6 3.5h9l3.5 3.5V20.5H6zM9 10h6M9 13.5h6M9 17h4',
  open: 'M13 4.5h6.5V11M19 5l-8.5 8.5M17 14v5.5H4.5V7H10',
  again: 'M19 12a7 7 0 1 1-2.2-5.1M17.5 3v4.5H13',
  full: 'M4.5 9V4.5H9M15 4.5h4.5V9M19.5 15v4.5H15M9 19.5H4.5V15',
  small: 'M9 4.5V9H4.5M19.5 9H15V4.5M15 19.5V15h4.5M4.5 15H9v4.5',
  back: 'M14.5 5.5L8 12l6.5 6.5',
  down: 'M5.5 9l6.5 6.5L18.5 9',
  up: 'M5.5 15L12 8.5l6.5 6.5',
  copy: 'M8.5 8.5h11v11h-11zM15.5 5.5v-1h-11v11h1',
  clipboard: 'M9 5H6v15.5h12V5h-3M9 3.5h6v3.5H9zM9 11.5h6M9 15h6',
  sliders: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8v4.4M9 14.8v4.4',
  keys: 'M3 6.5h18v11H3zM6.5 10h.2M10 10h.2M13.7 10h.2M17.3 10h.2M8 14h8',
  files: 'M3.5 6h6l2 2.5h9V18.5h-17zM12 11.5v5M9.7 14L12 11.5l2.3 2.5',
  screens: 'M2.5 5.5h11v8h-11zM15.5 8.5h6v8h-10M5.5 17h5M8 13.5V17M19 11v3M17.5 12.5h3',
  people:
    'M9 5.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM3.5 19c0-3 2.4-5 5.5-5s5.5 2 5.5 5M15.5 6.2a2.8 2.8 0 0 1 0 5M17 14.4c2.1.6 3.5 2.3 3.5 4.6',
  pulse: 'M3 12.5h4l2.5-7 4.5 13 2.7-6H21',
  clock: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2',
  desktop: 'M3.5 4.5h17v12h-17zM9 20h6M12 16.5V20',
  gnome: 'M3.5 4.5h17v12h-17zM3.5 7.5h17M9 20h6M12 16.5V20M10.5 6h3',
  cae: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9M8 5.2l8 4.6M16 5.2L8 9.8',
  pencil: 'M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5zM13.5 7l3.5 3.5',
  trash: 'M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10.3 10.5v6M13.7 10.5v6',
  hidden:
    'M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM4.5 20L19.5 4',
  application: 'M4 4.5h16v15H4zM4 9h16M7 6.8v.2M9.5 6.8v.2M8 13h8M8 16h5',
} as const;

export type IconName = keyof typeof PATHS;

export const isIconName = (name: string): name is IconName => name in PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      className="icon"
      viewBox="0 0 24 24"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
