// Light, dark, or as the system has it. Remembered where the browser allows that.
import { useEffect, useState } from 'preact/hooks';

const themes = ['system', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];
const KEY = 'trimtab.theme';

export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(remembered);
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage is forbidden here: the choice lasts as long as the page.
    }
  }, [theme]);
  return (
    <label class="theme">
      theme{' '}
      <select value={theme} onChange={({ currentTarget }) => setTheme(themeOf(currentTarget.value))}>
        {themes.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

const themeOf = (text: string | null): Theme => themes.find((name) => name === text) ?? 'system';

function remembered(): Theme {
  try {
    return themeOf(localStorage.getItem(KEY));
  } catch {
    return 'system';
  }
}
