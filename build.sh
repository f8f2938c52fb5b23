#!/bin/sh
# Build, Test [-Full], Demo, Bench, Package, Clean: the tasks live in build/.
if ! command -v dotnet >/dev/null 2>&1; then
    echo "build.sh needs the .NET 10 SDK: the command 'dotnet' was not found on PATH." >&2
    exit 1
fi
exec dotnet run --project "$(dirname "$0")/build" -v quiet -- "$@"
