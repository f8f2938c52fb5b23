# What restore_command runs: pgbackup-restore-wal.ps1 '%f' '%p' -Repository '...'. Restore-PgPointInTime writes the whole command.
# Ends with 0 when the file is written, verified and durable; with 74 when the archive does not hold it (or, on a standby, cannot be reached for the moment); with 126 for
# anything else. Not there is 74 and not 1, because PowerShell itself ends with 1 for failures of many kinds, and PostgreSQL takes that for the end of the archive:
# the command turns 74 into 1 and every other failure into 126.
[CmdletBinding(PositionalBinding = $false)]
param(
    [Parameter(Mandatory, Position = 0)] [string] $Name,
    [Parameter(Mandatory, Position = 1)] [string] $Destination,
    [Parameter(Mandatory)] [string] $Repository,
    [string] $ConfigPath,
    [string] $KeyPath,
    [ValidateSet('none', 'hex', 'base64')] [string] $KeyTransform,
    [switch] $RequireKey
)

$ErrorActionPreference = 'Stop'
$code = 0
try {
    if ($KeyPath) { [Environment]::SetEnvironmentVariable('WALG_LIBSODIUM_KEY_PATH', $KeyPath) }
    if ($KeyTransform) { [Environment]::SetEnvironmentVariable('WALG_LIBSODIUM_KEY_TRANSFORM', $KeyTransform) }
    if ($RequireKey -and -not [Environment]::GetEnvironmentVariable('WALG_LIBSODIUM_KEY')) {
        [Console]::Error.WriteLine('pgbackup-restore-wal: The repository is encrypted, but the environment of the server has no WALG_LIBSODIUM_KEY. Hint: Set it for the service and start the server again, or restore with WALG_LIBSODIUM_KEY_PATH.')
        exit 126
    }
    Import-Module -Name ([IO.Path]::Combine($PSScriptRoot, '..', 'PgBackup.psd1'))
    $configuration = if ($ConfigPath) { @{ ConfigPath = $ConfigPath } } else { @{} }
    $null = Restore-PgWal -Name $Name -Destination $Destination -Repository $Repository @configuration
}
catch {
    $text = if ($_.ErrorDetails.RecommendedAction) { "$($_.ErrorDetails.Message) Hint: $($_.ErrorDetails.RecommendedAction)" } else { $_.Exception.Message }
    [Console]::Error.WriteLine('pgbackup-restore-wal: ' + ($text -replace '\s*[\r\n]+\s*', ' '))
    $code = if ($_.Exception.Data['RestoreCommandExitCode'] -eq 1) { 74 } else { 126 }
}
exit $code
