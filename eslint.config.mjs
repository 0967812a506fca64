import tseslint from "typescript-eslint";

const lines = { skipBlankLines: true, skipComments: true };

export default tseslint.config(
  { ignores: ["bin/", "node_modules/", "vendor/", ".lab/", ".pulumi-state/", "logs/", "coverage/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.test.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers and booleans read well in a sentence; objects do not, and stay forbidden.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // A void arrow in one line is how callbacks and event handlers are written here.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Interfaces of the layers are async where some implementations need not wait.
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      // Code of today is loaded by path at run time, so that the state and the bundle never hold a copy.
      "@typescript-eslint/no-require-imports": "off",
      "max-lines": ["error", { max: 300, ...lines }],
      "max-lines-per-function": ["error", { max: 60, ...lines }],
    },
  },
  {
    files: ["test/**/*.ts"],
    rules: {
      "max-lines": "off",
      "max-lines-per-function": "off",
      // jest's asymmetric matchers are typed any.
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/unbound-method": "off",
    },
  },
);
