/**
Images: one image holds all functions, and it is the same everywhere: two of them would be two releases on one schema.
*/
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {podsOf} from '../pods.ts';

const error = findingsOf('image', 'error');

/** A tag that is said, and moves with nobody's push; or a digest. */
const isPinned = (image: string) =>
  /@sha256:[0-9a-f]{64}$/.test(image) || /:(?!latest$)[\w][\w.-]{0,127}$/.test(image);

export const imagesAreOne: Rule = ({resources}) => {
  const used = podsOf(resources).flatMap(({resource, containers}) =>
    containers.map(({path, fields}) => ({
      resource,
      path: [...path, 'image'],
      image: String(fields.image ?? ''),
    })),
  );
  const first = used[0]?.image;
  return used.flatMap(({resource, path, image}): Finding[] => {
    if (!isPinned(image)) {
      return [error(resource, path, `"${image}" names no release: it wants a tag or a digest`)];
    }
    return image === first
      ? []
      : [error(resource, path, `"${image}" is another image than the first, "${first}"`)];
  });
};
