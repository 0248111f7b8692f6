import { defineConfig } from 'vitest/config';

// The page's origin is the server's, so that jsdom lets its requests through. Only in a global of its own (`vmThreads`)
// does jsdom's WebSocket open: elsewhere Vitest puts jsdom's `Event` where that WebSocket wants Node's.
export default defineConfig({
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: process.env.SERVER } },
    pool: 'vmThreads',
  },
});
