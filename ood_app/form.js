'use strict';

// Says what the chosen desktop is. Everything else of the form works without scripts.
(function () {
  const select = document.getElementById('batch_connect_session_context_image');
  if (!select) return;
  const note = document.createElement('small');
  note.className = 'form-text text-muted';
  note.setAttribute('aria-live', 'polite');
  select.after(note);
  const tell = function () {
    const option = select.selectedOptions[0];
    note.textContent = (option && option.dataset.description) || '';
  };
  select.addEventListener('change', tell);
  tell();
})();
