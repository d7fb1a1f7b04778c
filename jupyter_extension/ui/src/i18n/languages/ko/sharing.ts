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
  user: '초대할 이 포털의 사용자 이름',
  anyUser: '링크를 가진 포털 사용자',
  may: '권한',
  time: '기간',
  minutes: (minutes) => (minutes < 60 ? `${minutes}분` : `${minutes / 60}시간`),
  always: '데스크톱이 실행되는 동안',
  make: '링크 만들기',
  link: '링크',
  once: '먼저 연 한 사람만 한 번 쓸 수 있으며, 초대받은 사람은 이 포털에 로그인되어 있어야 합니다.',
  onceFor: (user) => `${user} 사용자만 한 번 쓸 수 있으며, 이 포털에 로그인되어 있어야 합니다.`,
  makeText: '초대장 만들기',
  text: '초대장',
  onceText:
    '먼저 가져온 한 사람만 한 번 쓸 수 있습니다. 초대받은 사람은 자신의 JupyterLab에서 Moonlight를 열고 ' +
    '“공유 데스크톱 참여”를 누른 다음 이 글을 넣습니다.',
  join: '공유 데스크톱 참여',
  joinHint:
    '받은 초대장이나 링크를 넣으세요. 소유자의 데스크톱을 보게 되며, 조작 권한을 받으면 그곳에서 하는 일은 ' +
    '소유자의 이름으로 처리됩니다.',
  bring: '참여',
  shown: '공유 데스크톱',
  guestRoles: { view: '보기만 할 수 있음', control: '조작할 수 있음' },
  until: (time) => `${time}까지`,
  waits: '데스크톱에 연결할 수 없습니다. 다시 시도하는 중입니다.',
  leave: '나가기',
  leaveKeys: 'Ctrl + Alt + Shift + M을 누르면 화면에서 나옵니다.',
  over: {
    share_ended: '데스크톱 소유자가 공유를 끝냈습니다.',
    share_time_up: '초대 시간이 끝났습니다.',
    share_over: '데스크톱이 종료되었습니다.',
    no_invitation: '초대가 더 이상 유효하지 않습니다.',
    login_over: '이 포털의 로그인이 끝났습니다.',
    left: '데스크톱에서 나왔습니다.',
  },
  again: '다시 보려면 소유자에게 새 초대를 요청하세요.',
};
