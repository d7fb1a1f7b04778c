import type { SharingWords } from '../en/sharing';

export const sharing: SharingWords = {
  title: '공유',
  sharedWith: (guests) => `${guests}명과 공유 중`,
  hint:
    '초대한 사람은 데스크톱 전체를 봅니다. 파일과 클립보드는 전달되지 않습니다. ' +
    '데스크톱이 종료되면 모든 초대도 끝납니다.',
  invitations: '초대',
  roles: { view: '보기', control: '보기와 조작' },
  here: '보고 있음',
  away: '나갔음',
  notYet: '아직 오지 않음',
  give: '조작 권한 주기',
  take: '조작 권한 회수',
  end: '끝내기',
  endAll: '모두 끝내기',
  name: '초대할 사람(나만 보는 메모)',
  anybody: '링크를 가진 사람',
  may: '권한',
  time: '기간',
  minutes: (minutes) => (minutes < 60 ? `${minutes}분` : `${minutes / 60}시간`),
  always: '데스크톱이 실행되는 동안',
  make: '링크 만들기',
  link: '링크',
  once: '먼저 연 한 사람만 한 번 쓸 수 있으며, 초대받은 사람은 이 포털에 로그인되어 있어야 합니다.',
};
