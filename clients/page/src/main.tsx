import { render } from 'preact';
import { App } from './app.js';
import './style.css';

const place = document.getElementById('page');
if (!place) throw new Error('the page has no place to be');
render(<App />, place);
