# What archive_command runs: pgbackup-archive.ps1 '%p' -Repository '...'. Ends with 0 only when the file is stored and confirmed.
# PostgreSQL starts it in the data directory, to which %p is relative. Enable-PgWalArchiving writes the whole command.
[CmdletBinding(PositionalBinding = $false)]
param(
    [Parameter(Mandatory, Position = 0)] [string] $Path,
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
        [Console]::Error.WriteLine('pgbackup-archive: The repository is encrypted, but the environment of the server has no WALG_LIBSODIUM_KEY; nothing was stored. Hint: Set it for the service and restart the server, or run Enable-PgWalArchiving with WALG_LIBSODIUM_KEY_PATH.')
        exit 12
    }
    Import-Module -Name ([IO.Path]::Combine($PSScriptRoot, '..', 'PgBackup.psd1'))
    $configuration = if ($ConfigPath) { @{ ConfigPath = $ConfigPath } } else { @{} }
    $null = Push-PgWal -LiteralPath $Path -Repository $Repository @configuration
}
catch {
    $text = if ($_.ErrorDetails.RecommendedAction) { "$($_.ErrorDetails.Message) Hint: $($_.ErrorDetails.RecommendedAction)" } else { $_.Exception.Message }
    [Console]::Error.WriteLine('pgbackup-archive: ' + ($text -replace '\s*[\r\n]+\s*', ' '))
    $code = $_.Exception.ExitCode
    if (-not $code) { $code = 1 }
}
exit $code
