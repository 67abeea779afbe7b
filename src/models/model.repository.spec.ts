import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { refusalOf } from '../../test/support/refusal.js';
import { EXIT_CONFIG, StartupError } from '../config/startup-error.js';
import { ModelRepository } from './model.repository.js';

describe('ModelRepository', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnxmq-models-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function put(path: string, content: string | object = ''): void {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }

  function problemsOf(defaultModel?: string, at = folder): string[] {
    try {
      ModelRepository.open(at, defaultModel);
      return [];
    } catch (error) {
      expect(error).toBeInstanceOf(StartupError);
      expect((error as StartupError).exitCode).toBe(EXIT_CONFIG);
      return (error as StartupError).message.split('\n');
    }
  }

  describe('layouts', () => {
    it('finds <name>/model.onnx, as version 1', () => {
      put('digits/model.onnx');
      const expected = { name: 'digits', version: '1', path: join(folder, 'digits/model.onnx') };
      expect(ModelRepository.open(folder).all).toMatchObject([expected]);
    });

    it('finds the highest number of <name>/<version>/model.onnx, compared as numbers', () => {
      for (const version of ['2', '10', '9']) put(`digits/${version}/model.onnx`);
      put('digits/11/other.onnx');
      put('digits/latest/model.onnx');
      expect(ModelRepository.open(folder).all).toMatchObject([
        { version: '10', path: join(folder, 'digits/10/model.onnx') },
      ]);
    });

    it('finds several models, and passes over files, hidden folders and folders without a model', () => {
      put('b/model.onnx');
      put('a/1/model.onnx');
      put('README.md');
      put('.cache/model.onnx');
      put('notes/todo.txt');
      expect(ModelRepository.open(folder).all.map(({ name }) => name)).toEqual(['a', 'b']);
    });
  });

  describe('what is not served', () => {
    /** Beside a model that is served, without the folder in the paths. */
    function passedOver(): string[] {
      put('good/model.onnx');
      const { all, passedOver: lines } = ModelRepository.open(folder);
      expect(all.map(({ name }) => name)).toContain('good');
      return lines.map((line) => line.replaceAll(`${folder}/`, ''));
    }

    const NAME = 'the file must be called model.onnx; rename it';
    const VERSION = (name: string) =>
      `a version is a whole number from 1 without leading zeros; rename the folder "${name}"`;
    const PLACE = 'a model lies at <name>/model.onnx or <name>/<version>/model.onnx; move it there';
    it.each([
      ['foo/resnet50.onnx', NAME],
      ['foo/Model.onnx', NAME],
      ['foo/model.ONNX', NAME],
      ['foo/1/Model.onnx', NAME],
      ['foo/v1/model.onnx', VERSION('v1')],
      ['foo/0/model.onnx', VERSION('0')],
      ['foo/01/model.onnx', VERSION('01')],
      ['foo/1.0/net.onnx', `${VERSION('1.0')}, and ${NAME}`],
      ['foo/a/1/model.onnx', PLACE],
      ['foo.onnx', 'a model has a folder of its own; move it to foo/model.onnx'],
      ['model.onnx', 'a model has a folder of its own; move it to <name>/model.onnx'],
      ['good/other.onnx', NAME],
      ['good/v2/model.onnx', VERSION('v2')],
    ])('is said of %s, with what to change', (path, reason) => {
      put(path);
      expect(passedOver()).toEqual([`"${path}" is not served: ${reason}`]);
    });

    it('is said of a folder that is empty, or holds a model.json and no model', () => {
      mkdirSync(join(folder, 'empty'));
      put('foo/model.json', '{}');
      expect(passedOver()).toEqual([
        '"empty" is not served: it holds no model.onnx',
        '"foo" is not served: it holds no model.onnx',
      ]);
    });

    it('is said of a version that holds no model, and of a file beside versions', () => {
      put('foo/1/model.onnx');
      put('foo/2/README.md');
      put('foo/model.onnx');
      expect(passedOver()).toEqual([
        '"foo/model.onnx" is not served: folders of versions come first, and version 1 is served; delete one of them',
        '"foo/2" is not served: it holds no model.onnx',
      ]);
    });

    it('is said of a folder and of a version that is a link to nothing or to itself, or no folder', () => {
      symlinkSync('nowhere', join(folder, 'gone'));
      symlinkSync('loop', join(folder, 'loop'));
      put('good/4');
      symlinkSync('../nowhere', join(folder, 'good/2'));
      symlinkSync('3', join(folder, 'good/3'));
      expect(passedOver()).toEqual([
        '"gone" is not served: it cannot be opened, or is a link that leads nowhere',
        ...[2, 3, 4].map(
          (version) => `"good/${version}" is not served: it is no folder, or a link that leads nowhere`,
        ),
        '"loop" is not served: it cannot be opened, or is a link that leads nowhere',
      ]);
    });

    it('is said of a model.json that is called otherwise, or lies with a version', () => {
      put('good/Model.json', '{}');
      put('good/1/model.onnx');
      put('good/1/model.json', '{}');
      const place = 'it lies at <name>/model.json; move it there';
      expect(passedOver().filter((line) => line.includes('json'))).toEqual([
        `"good/1/model.json" is not read: ${place}`,
        `"good/Model.json" is not read: ${place}`,
      ]);
    });

    it('is said of a model file that is a folder or a link to nothing', () => {
      mkdirSync(join(folder, 'foo/model.onnx'), { recursive: true });
      mkdirSync(join(folder, 'bar'));
      symlinkSync('nowhere', join(folder, 'bar/model.onnx'));
      expect(passedOver()).toEqual(
        ['bar', 'foo'].map(
          (name) =>
            `"${name}/model.onnx" is not served: it is no file, cannot be opened, or is a link that leads nowhere`,
        ),
      );
    });

    it('is not said of lower versions, hidden folders, and folders with no model in them', () => {
      for (const version of ['1', '2']) put(`foo/${version}/model.onnx`);
      put('.git/model.onnx');
      put('..data/foo/model.onnx');
      put('good/..data/other.onnx');
      put('docs/images/plot.png');
      put('good/model.onnx.data');
      put('README.md');
      expect(passedOver()).toEqual([]);
    });

    it('is said in the error where no model is served at all, or not the default one', () => {
      put('foo/resnet50.onnx');
      const hint = `MODELS_DIR: "${join(folder, 'foo/resnet50.onnx')}" is not served: ${NAME}`;
      expect(problemsOf()).toEqual([
        `MODELS_DIR: no model in "${folder}"; put one at <name>/model.onnx`,
        hint,
      ]);
      put('good/model.onnx');
      expect(problemsOf('foo')).toEqual([`DEFAULT_MODEL: there is no model "foo" in "${folder}"`, hint]);
    });
  });

  it('serves the highest of versions that have more digits than a number is exact to', () => {
    for (const version of ['20260101123456789011', '20260101123456789012', '3'])
      put(`foo/${version}/model.onnx`);
    expect(ModelRepository.open(folder).all[0]?.version).toBe('20260101123456789012');
  });

  describe('model.json', () => {
    it('may begin with a byte order mark', () => {
      put('m/model.onnx');
      put('m/model.json', '\uFEFF{"labels": ["a"]}');
      expect(ModelRepository.open(folder).all[0]?.config.labels).toEqual(['a']);
    });

    it('may be missing: then nothing is asked of the model', () => {
      put('m/model.onnx');
      expect(ModelRepository.open(folder).all[0]?.config).toEqual({
        batching: {},
        preprocess: { ioDelayMs: 0 },
        session: {},
      });
    });

    it('is read beside the versions', () => {
      put('m/3/model.onnx');
      put('m/model.json', { labels: ['a'], batching: { maxSize: 8 }, preprocess: { mean: [1, 2], std: 3 } });
      expect(ModelRepository.open(folder).all[0]?.config).toMatchObject({
        labels: ['a'],
        batching: { maxSize: 8 },
        preprocess: { ioDelayMs: 0, mean: [1, 2], std: 3 },
      });
    });

    it.each([
      ['a link that leads nowhere', () => symlinkSync('nowhere', join(folder, 'm/model.json'))],
      [
        'not UTF-8',
        () => writeFileSync(join(folder, 'm/model.json'), Buffer.from('{"labels":["\xe9"]}', 'latin1')),
      ],
    ])('is refused when it is %s', (_, make) => {
      put('m/model.onnx');
      make();
      expect(problemsOf()).toEqual([
        expect.stringContaining(`${join(folder, 'm/model.json')}: not readable as JSON`),
      ]);
    });

    it('is refused when it is not JSON, with its path', () => {
      put('m/model.onnx');
      put('m/model.json', '{"labels": [');
      const [problem, ...others] = problemsOf();
      expect(problem).toContain(`${join(folder, 'm/model.json')}: not readable as JSON`);
      expect(others).toEqual([]);
    });

    it('is refused for each field that is wrong, of each model, one line each', () => {
      put('a/model.onnx');
      put('a/model.json', { batching: { maxSize: 0, maxWaitMs: -1 } });
      put('b/model.onnx');
      put('b/model.json', { label: ['typo'] });
      const problems = problemsOf();
      expect(problems).toHaveLength(3);
      expect(problems[0]).toContain(`${join(folder, 'a/model.json')}: batching.maxSize: `);
      expect(problems[1]).toContain(`${join(folder, 'a/model.json')}: batching.maxWaitMs: `);
      expect(problems[2]).toContain(`${join(folder, 'b/model.json')}: top level: `);
      expect(problems[2]).toContain('"label"');
    });
  });

  describe('the folder', () => {
    it('is named when it does not exist', () => {
      const path = join(folder, 'missing');
      expect(problemsOf(undefined, path)).toEqual([`MODELS_DIR: there is no folder "${path}"`]);
    });

    it('is named when it is a link to itself', () => {
      const path = join(folder, 'loop');
      symlinkSync(path, path);
      expect(problemsOf(undefined, path)).toEqual([`MODELS_DIR: there is no folder "${path}"`]);
    });

    it('is named when it holds no model', () => {
      expect(problemsOf()).toEqual([`MODELS_DIR: no model in "${folder}"; put one at <name>/model.onnx`]);
    });
  });

  describe('the default model', () => {
    it('is the one that is set', () => {
      for (const name of ['a', 'b', 'digits']) put(`${name}/model.onnx`);
      expect(ModelRepository.open(folder, 'b').resolve(undefined).name).toBe('b');
    });

    it('is the only model, else digits', () => {
      put('a/model.onnx');
      expect(ModelRepository.open(folder).resolve(undefined).name).toBe('a');
      put('digits/model.onnx');
      expect(ModelRepository.open(folder).resolve(undefined).name).toBe('digits');
    });

    it('must exist when it is set', () => {
      put('a/model.onnx');
      expect(problemsOf('b')).toEqual([`DEFAULT_MODEL: there is no model "b" in "${folder}"`]);
    });

    it('may be none: then a request must name its model', () => {
      put('a/model.onnx');
      put('b/model.onnx');
      const { code, message } = refusalOf(() => ModelRepository.open(folder).resolve(undefined));
      expect(code).toBe('UNKNOWN_MODEL');
      expect(message).toBe('the request names no model and there is no default model; the models are a, b');
    });
  });

  it('resolves a model by its name alone, and names those there are to any other', () => {
    put('a/model.onnx');
    put('b/model.onnx');
    const repository = ModelRepository.open(folder);
    expect(repository.resolve('b').name).toBe('b');
    for (const name of ['c', '../a', 'a/1', '__proto__', '']) {
      const { code, message } = refusalOf(() => repository.resolve(name));
      expect(code).toBe('UNKNOWN_MODEL');
      expect(message).toBe(`there is no model ${JSON.stringify(name)}; the models are a, b`);
    }
  });

  it('quotes at most 100 characters of a name that is unknown', () => {
    put('a/model.onnx');
    const { message } = refusalOf(() => ModelRepository.open(folder).resolve('x'.repeat(1_000_000)));
    expect(message.length).toBeLessThan(200);
  });
});
