@{
    RootModule             = 'bin/PgBackup.PowerShell.dll'
    # Loaded before the root module: it tells the session where the engine is.
    NestedModules          = @('bin/PgBackup.Loader.dll')
    ModuleVersion          = '0.1.0'
    GUID                   = '8b0d6a63-5b36-4c1f-9a44-1d7b3e0f52c9'
    Author                 = 'The PgBackup authors'
    CompanyName            = 'The PgBackup authors'
    Copyright              = '(c) The PgBackup authors. MIT licence.'
    Description            = 'Keeps a PostgreSQL cluster recoverable: full and delta base backups, continuous WAL archiving and streaming, and point-in-time restore, in the repository format of WAL-G.'
    PowerShellVersion      = '7.6'
    CompatiblePSEditions   = @('Core')
    FormatsToProcess       = @(
        'PgBackup.Format.ps1xml'
        'PgBackup.Backups.Format.ps1xml'
        'PgBackup.Configuration.Format.ps1xml'
        'PgBackup.Databases.Format.ps1xml'
        'PgBackup.Repositories.Format.ps1xml'
        'PgBackup.Retention.Format.ps1xml'
        'PgBackup.Wal.Format.ps1xml'
    )
    TypesToProcess         = @()
    FunctionsToExport      = @()
    CmdletsToExport        = @(
        'Backup-PgCluster'
        'Backup-PgDatabase'
        'Copy-PgBackup'
        'Enable-PgWalArchiving'
        'Get-PgBackup'
        'Get-PgBackupConfiguration'
        'Get-PgBackupRepository'
        'Get-PgBackupRetention'
        'Get-PgRecoveryWindow'
        'Get-PgRestorePlan'
        'Get-PgWalArchiveStatus'
        'Get-PgWalSegment'
        'Lock-PgBackup'
        'New-PgBackupKey'
        'New-PgRetentionPolicy'
        'Optimize-PgBackupRepository'
        'Push-PgWal'
        'Receive-PgWal'
        'Remove-PgBackup'
        'Remove-PgBackupByRetention'
        'Restore-PgDatabase'
        'Restore-PgPointInTime'
        'Restore-PgWal'
        'Test-PgBackupRepository'
        'Test-PgWalArchive'
        'Unlock-PgBackup'
    )
    VariablesToExport      = @()
    AliasesToExport        = @()
    PrivateData            = @{
        PSData = @{
            Tags         = @('PostgreSQL', 'Postgres', 'Backup', 'Restore', 'PITR', 'WAL', 'WAL-G', 'DisasterRecovery', 'Database', 'PSEdition_Core', 'Linux')
            ReleaseNotes = 'See CHANGELOG.md.'
        }
    }
}
