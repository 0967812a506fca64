# The application's role and database; SQL on stdin.
cd /
runuser -u postgres -- psql -Xq -v ON_ERROR_STOP=1 -p "$PORT" postgres
