// Owns what visitors choose: the sliders, WebSocket's fate, the language and the theme.
(function (Compare) {
  'use strict';

  var text = function (name) { return Compare.words.text(name); };
  var INTERVAL = { name: 'intervalMs', steps: [50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000], unit: 'ms' };
  var RTT = { name: 'addedRttMs', steps: [0, 10, 20, 40, 60, 100, 150, 200, 300, 500, 1000], unit: 'ms' };
  var CUTS = { name: 'cutsPerMinute', steps: [0, 2, 4, 6, 10, 20, 30, 60], unit: 'perMinute' };
  var SLIDERS = {
    news: [
      { name: 'eventsPerSecond', steps: [1, 2, 4, 8, 10, 20, 50, 100], unit: 'perSecond' },
      { name: 'sizeBytes', steps: [64, 128, 256, 512, 1024, 2048, 4096], unit: 'bytes' },
      INTERVAL, RTT, CUTS,
      { name: 'extraClients', steps: [0, 1, 2, 5, 10, 20, 30, 50], unit: null }
    ],
    questions: [
      { name: 'questionsPerSecond', steps: [1, 2, 3, 5, 10, 20], unit: 'perSecond' },
      { name: 'answerBytes', steps: [64, 128, 256, 512, 1024, 4096, 16384, 65536], unit: 'bytes' },
      { name: 'answerMs', steps: [0, 10, 20, 50, 100, 200, 500, 1000, 3000], unit: 'ms' },
      INTERVAL, RTT, CUTS
    ],
    phone: [{ name: 'intervalMs', steps: [1000, 2000, 5000, 10000, 15000, 30000, 60000], unit: 'ms' }]
  }[Compare.address.view];

  // Builds the sliders and tells `changed` the settings, shortly after each move.
  function Controls(place, button, settings, changed) {
    this.settings = settings;
    this.button = button;
    this.sliders = SLIDERS.map(function (slider) { return this.slider(place, slider); }, this);
    var controls = this;
    button.onclick = function () {
      settings.websocketBroken = !settings.websocketBroken;
      controls.say();
      changed(settings);
    };
    this.changed = function () {
      clearTimeout(controls.timer);
      controls.timer = setTimeout(function () { changed(settings); }, 80);
    };
    this.say();
  }

  Controls.prototype.slider = function (place, slider) {
    var controls = this;
    var label = document.createElement('label');
    label.className = 'slider';
    label.innerHTML = '<span class="name" data-word="' + slider.name + '"></span><output></output>' +
      '<input type="range" min="0" step="1" max="' + (slider.steps.length - 1) + '">';
    var input = label.querySelector('input');
    input.id = slider.name;
    input.value = nearest(slider.steps, this.settings[slider.name]);
    input.oninput = input.onchange = function () {
      controls.settings[slider.name] = slider.steps[input.value];
      controls.say();
      controls.changed();
    };
    place.appendChild(label);
    return { name: slider.name, input: input, output: label.querySelector('output'), unit: slider.unit };
  };

  // An address may name a value between two steps.
  function nearest(steps, value) {
    return steps.reduce(function (best, step, place) {
      return Math.abs(step - value) < Math.abs(steps[best] - value) ? place : best;
    }, 0);
  }

  // Writes the values out, in the language that is shown.
  Controls.prototype.say = function () {
    var controls = this;
    this.sliders.forEach(function (slider) {
      var value = controls.settings[slider.name].toLocaleString('en') + (slider.unit ? ' ' + text(slider.unit) : '');
      slider.output.textContent = value;
      slider.input.setAttribute('aria-valuetext', value);
    });
    var isBroken = this.settings.websocketBroken;
    this.button.setAttribute('aria-pressed', isBroken);
    this.button.querySelector('span').setAttribute('data-word', isBroken ? 'mend' : 'break');
    Compare.words.fill(this.button.parentNode);
  };

  // All settings in words.
  Controls.prototype.text = function () {
    return this.sliders.map(function (slider) {
      return text(slider.name) + ' ' + slider.output.textContent;
    }).join(' · ');
  };

  // A group of buttons of which one is pressed; `chosen` is told its value.
  Compare.choice = function (group, value, chosen) {
    var buttons = group.querySelectorAll('button');
    function press(value) {
      Compare.each(buttons, function (button) {
        button.setAttribute('aria-pressed', button.value === value);
      });
    }
    Compare.each(buttons, function (button) {
      button.onclick = function () {
        press(button.value);
        chosen(button.value);
      };
    });
    press(value);
  };

  // The visitor's theme, or none for the system's.
  Compare.showTheme = function (theme) {
    var root = document.documentElement;
    if (theme === 'light' || theme === 'dark') {
      root.setAttribute('data-theme', theme);
    } else {
      root.removeAttribute('data-theme');
    }
    Compare.storage.set('theme', theme);
  };

  Compare.Controls = Controls;
})(window.Compare);
