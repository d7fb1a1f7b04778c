import type { Reasons } from '../en';

/** What a node says of a desktop: steps, notes, and how it ended there. */
export const node: Reasons = {
  Claimed: '디스플레이 :{number}, 포트 {ports}부터',
  AnotherDisplay: '디스플레이 {display} (:{taken}번은 그사이 다른 사용자가 차지했습니다)',

  SizeRefused: 'X 서버가 요청한 해상도를 받아들이지 않았습니다: {size}.',
  Silent: '데스크톱에서 소리가 나지 않습니다: {why}.',
  SoundAgain: '소리 서버가 종료되어 다시 시작되었습니다. 소리를 들으려면 다시 연결하세요.',
  SoundGone: '이제 데스크톱에서 소리가 나지 않습니다: {why}.',
  KeyboardNotSet: '키보드 레이아웃을 설정하지 못했습니다: {layout} ({why}).',
  NoWindowManager: '아직 창 관리자가 나타나지 않았습니다. 데스크톱이 느릴 수 있습니다.',
  EndUnknown:
    '작업이 언제 끝나는지 여기에서는 알 수 없습니다. 데스크톱은 작업과 함께 끝나며 미리 알리지 못할 수 있습니다.',
  CannotBeWritten:
    '{path}에 쓸 수 없어({why}) 데스크톱이 그곳에 저장하는 내용은 세션이 끝나면 사라집니다. 본인 것이어야 한다면 관리자에게 다음을 요청하세요: chown -R {user} {path}',
  DesktopAgain: 'UTC {at}에 데스크톱이 종료되어({how}) 다시 시작되었습니다.',
  WindowManagerAgain: 'UTC {at}에 데스크톱의 창 관리자가 사라져 다시 시작했습니다.',
  WindowManagerGone:
    'UTC {at}에 데스크톱의 창 관리자가 사라져 창을 옮길 수 없습니다. 돌아오지 않으면 작업을 저장하고 로그아웃하세요.',
  StreamAgain: 'UTC {at}에 화면 전송이 종료되어({how}) 다시 시작되었습니다.',
  StreamMoved:
    'UTC {at}에 화면 전송이 종료되어({how}) 다시 시작되었습니다. 포트는 이제 {before}번이 아니라 {ports}번부터입니다.',
  StreamEnds:
    '화면 전송이 시작 직후에 {times}번 종료되었습니다. 마지막은 UTC {at}입니다: {why}. 데스크톱은 그대로 유지되며 데스크톱을 열면 화면 전송이 다시 시작됩니다.',

  OpenGlNoGpu: 'OpenGL 프로그램을 CPU로 그립니다{shown}: 작업에 GPU가 없습니다.',
  OpenGlGpuNotSeen:
    'OpenGL 프로그램을 CPU로 그립니다{shown}: GPU {asked}개를 요청했지만 nvidia-smi에 보이지 않습니다.',
  OpenGlNoVirtualGl:
    '작업에 {gpu} GPU가 있지만 VirtualGL(vglrun)이 설치되어 있지 않아 OpenGL 프로그램을 CPU로 그립니다.',
  OpenGlNoDevice:
    '작업에 {gpu} GPU가 있지만 VirtualGL이 EGL 장치를 찾지 못해 OpenGL 프로그램을 CPU로 그립니다.',
  OpenGlCannotDraw:
    '작업에 {gpu} GPU가 있지만 VirtualGL이 장치 {device}에 그리지 못해 OpenGL 프로그램을 CPU로 그립니다.',
  EncodedByCpu: '작업에서 NVIDIA GPU가 보이지 않아 화면을 CPU로 인코딩합니다.',
  NvencNotUsed:
    '{gpu}(드라이버 {driver})로 영상을 인코딩할 수 있지만 Sunshine이 CPU를 사용합니다. 이유는 stream 로그에 있습니다. NVENC에는 드라이버 570 이상이 필요합니다.',
  NoVideoEncoder: '{gpu}에 영상 인코더가 없어 화면을 CPU로 인코딩합니다.',
  EncodingCosts:
    '화면 전체가 움직일 때 {size}, 초당 {fps}프레임을 인코딩하려면 CPU가 약 {needed}개 필요하지만 이 세션에는 {cpus}개뿐입니다. 끊긴다면 CPU를 더 요청하거나 화면 크기나 프레임 수를 줄이세요.',
  NativeNoAddress: '이 노드에 IPv4 주소가 없어 네이티브 클라이언트로 연결할 수 없습니다.',
  NativeOnly: '네이티브 Moonlight 클라이언트에서만 이 데스크톱을 볼 수 있습니다. ({why})',
  NoPictureEncrypted:
    '네이티브 클라이언트를 허용하면 모두 암호화되는데 moonlight-web-stream v3는 이를 아직 읽지 못해 브라우저에 화면이 나오지 않습니다. 관리자가 v2를 설치하면 됩니다.',
  ChangesInUse:
    '이 이미지에 대한 변경 내용을 다른 세션에서 사용하고 있습니다. 이 세션은 이미지를 만든 그대로 보여 주며, 홈 디렉터리 밖에서 바꾼 내용은 저장하지 않습니다.',
  ImageRenewed:
    '변경을 시작한 뒤 이미지가 새로 만들어졌지만 아직 이전 이미지의 사본을 사용하고 있습니다. 새 이미지를 사용하려면 실행 중인 세션이 없을 때 {path} 디렉터리를 삭제하세요.',
  DamagedRecord:
    '세션 기록의 일부를 읽을 수 없습니다: {where} ({why}). 나머지 정보는 표시되며 세션을 중지할 수 있습니다.',
  RemainsUnknown: '배치 시스템이 응답하지 않아 작업이 아직 남아 있는지 알 수 없습니다.',
  RemainsUnclear: '배치 시스템에 작업이 아직 남아 있는지 알 수 없습니다: {why}',
  RemainsEnded: '배치 시스템에 남아 있던 작업을 종료했습니다: {job} ({state}).',

  XServerEnded:
    '노드의 X 서버가 종료되어({how}) 데스크톱의 모든 창이 닫혔습니다. 마지막으로 남긴 말: {words}',
  DesktopEnded:
    '데스크톱이 시작 직후에 {times}번 종료되었습니다({how}). 마지막으로 남긴 말: {words}',
  ApplicationFailed: '프로그램이 종료되었습니다: {name} ({how}). 마지막으로 남긴 말: {words}',
  RestartFailed: '데스크톱이 종료되었고({how}) {node} 노드에서 다시 시작하지 못했습니다: {why}.',
  XServerFailed: 'X 서버를 시작하지 못했습니다. 자세한 내용: {message}',
  DisplayTaken: 'X 서버를 시작하지 못했습니다. 자세한 내용: {message}',
  DesktopFailed: '데스크톱을 시작하지 못했습니다. 자세한 내용: {message}',
  HostFailed: '화면을 전송하는 프로그램을 시작하지 못했습니다. 자세한 내용: {message}',
  ChangesFailed: '이미지에 대한 변경 내용을 열지 못했습니다. 자세한 내용: {message}',
  NoApptainer: '노드에서 Apptainer를 사용할 수 없습니다. 관리자에게 알려 주세요: {message}',
  NoHome: '노드에서 홈 디렉터리를 사용할 수 없습니다. 관리자에게 알려 주세요: {message}',
  NoSuchAddress: '설정된 게이트웨이 주소가 노드에 없습니다. 관리자에게 알려 주세요: {message}',
  UnsafeDirectory: '디렉터리가 안전하지 않아 시작하지 않았습니다: {message}',
  StartFailed: '세션을 시작하지 못했습니다. 반복되면 관리자에게 알려 주세요: {message}',
  AgentFailed: '노드의 에이전트에 오류가 생겼습니다. 관리자에게 알려 주세요: {message}',
  FAILED: '데스크톱이 보고하기 전에 작업이 실패했습니다. 자세한 내용: {message}',
};
