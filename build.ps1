# Build, Test [-Full], Demo, Bench, Package, Clean: the tasks live in build/.
[CmdletBinding()]
param(
    [Parameter(Position = 0)]
    [ValidateSet('Build', 'Test', 'Demo', 'Bench', 'Package', 'Clean')]
    [string] $Task = 'Build',

    # Test: the long tests as well.
    [switch] $Full
)
if (-not (Get-Command dotnet -ErrorAction Ignore)) { throw "build.ps1 needs the .NET 10 SDK: the command 'dotnet' was not found on PATH." }
dotnet run --project "$PSScriptRoot/build" -v quiet -- $Task @(if ($Full) { '-Full' })
exit $LASTEXITCODE
