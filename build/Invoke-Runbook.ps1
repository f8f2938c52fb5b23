# Runs Pester runbooks and leaves the results in a file; the exit code is 1 when one failed.
param(
    [Parameter(Mandatory)] [string] $Path,
    [Parameter(Mandatory)] [string] $ResultFile,
    [Parameter(Mandatory)] [string] $ModulePath,
    [switch] $Full
)
$ErrorActionPreference = 'Stop'
# In front of what pwsh has put there: an installed PgBackup must not be tested instead.
$env:PSModulePath = $ModulePath + [IO.Path]::PathSeparator + $env:PSModulePath
Import-Module Pester -MinimumVersion 5.7
$configuration = New-PesterConfiguration
$configuration.Run.Path = $Path
$configuration.Run.PassThru = $true
$configuration.TestResult.Enabled = $true
$configuration.TestResult.OutputPath = $ResultFile
$configuration.TestResult.OutputFormat = 'NUnitXml'
$configuration.Output.Verbosity = 'Normal'
if (-not $Full) { $configuration.Filter.ExcludeTag = 'Full' }
$run = Invoke-Pester -Configuration $configuration
exit [int]($run.Result -ne 'Passed')
