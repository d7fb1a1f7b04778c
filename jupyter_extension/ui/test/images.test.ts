import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import type { Image } from '../src/api/types';
import { ImageCards } from '../src/launch/ImageCards';
import { render } from './render';

function image(id: string, code: string | null = null, changes: Partial<Image> = {}): Image {
  const reason = code && `${code} in words.`;
  const of = { id, name: id.toUpperCase(), description: `All of ${id}.`, icon: 'desktop' };
  const why = { available: code === null, unavailable_code: code, unavailable_reason: reason };
  return { ...of, ...why, default: false, ...changes };
}

const cards = (language: 'en' | 'ko', ...images: Image[]): string =>
  render(createElement(ImageCards, { images, chosen: 'one', onChoose: () => undefined }), language);

describe('the images of the form', () => {
  const missing = [image('two', 'ImageMissing'), image('three', 'ImageMissing')];

  it('offers what can be chosen, and folds the rest into one line', () => {
    const html = cards('en', image('one'), ...missing);
    expect(html.match(/type="radio"/g)).toHaveLength(1);
    expect(html).toContain('<summary>2 more images are not installed here</summary>');
    expect(html).not.toMatch(/<details[^>]* open|disabled|All of two/);
    expect(html).toMatch(/<li[^>]*>.*TWO.*<li[^>]*>.*THREE.*Your administrators can install/);
  });

  it('counts one as one, in both languages', () => {
    expect(cards('en', image('one'), missing[0]!)).toContain('1 more image is not installed here');
    expect(cards('ko', image('one'), missing[0]!)).toContain(
      '설치되지 않은 이미지가 1개 더 있습니다',
    );
  });

  it('says why, where more than an installation is wanted', () => {
    const all = [image('one'), image('two', 'ImageForbidden'), missing[1]!];
    expect(cards('en', ...all)).toMatch(
      /2 more images cannot be used here.*ImageForbidden in words.*ImageMissing in words/,
    );
    const korean = cards('ko', ...all).replace(/<[^>]*>/g, '');
    expect(korean).toContain('권한이 없습니다');
    expect(korean).not.toMatch(/in words|cannot/);
  });

  it('names files to those alone whom the server has told them', () => {
    expect(cards('en', image('one'), missing[0]!)).not.toContain('administrators:');
    const detail = { unavailable_detail: 'The image file /opt/x.sif does not exist.' };
    const html = cards('ko', image('one'), image('two', 'ImageMissing', detail));
    expect(html).toContain('관리자용: <span lang="en">The image file /opt/x.sif');
  });

  it('shows at once what there is where nothing can be chosen', () => {
    const html = cards('en', ...missing);
    expect(html).toMatch(
      /None of the desktops.*<details[^>]* open.*2 images are not installed here/,
    );
    expect(html).not.toContain('fieldset');
  });

  it('has no line where all can be chosen', () => {
    expect(cards('en', image('one'))).not.toContain('details');
  });
});
