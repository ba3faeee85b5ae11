/** Role: the option that names one. A word that is none ends the command before anything is sent. */
import {Option} from 'commander';

const roles = ['viewer', 'member', 'admin', 'owner'];

export const roleOption = () => new Option('--role <role>', 'what it may do').choices(roles);
export const neededRole = () => roleOption().makeOptionMandatory();
