/** Picks a command by its name. */
export const name = 'berth';
