import type { Dictionary } from '../en';

export const preview: Dictionary['preview'] = {
  alt: (name) => `데스크톱 ${name}의 화면(최대 30초 전)`,
  coming: '곧 화면이 표시됩니다.',
  hidden: '화면을 숨겼습니다.',
  hide: '화면 숨기기',
  show: '화면 보이기',
  wanted: '목록에 작은 화면 표시',
  wantedHint: '본인에게만 보이며 저장되지 않습니다. 실행 중에도 숨기거나 다시 표시할 수 있습니다.',
};
