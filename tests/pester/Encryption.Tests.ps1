# Keys as their owners handle them: made, given, mistaken, never shown.
BeforeAll {
    Import-Module PgBackup
    $name = '000000010000000000000003'
    $repository = Join-Path $TestDrive 'repository'
    $saved = @{}
    foreach ($variable in 'WALG_LIBSODIUM_KEY', 'WALG_LIBSODIUM_KEY_PATH', 'WALG_LIBSODIUM_KEY_TRANSFORM', 'WALG_PGP_KEY_PATH', 'PATH') {
        $saved[$variable] = [Environment]::GetEnvironmentVariable($variable)
    }

    # The first page of PostgreSQL 15's segment 3 of timeline 1 (xlog_internal.h), then noise.
    $bytes = [byte[]]::new(1MB)
    [Random]::new(1).NextBytes($bytes)
    $header = [BitConverter]::GetBytes([uint16] 0xD110) + [BitConverter]::GetBytes([uint16] 2) + [BitConverter]::GetBytes([uint32] 1) +
        [BitConverter]::GetBytes([uint64] (3 * $bytes.Length)) + [byte[]]::new(8) + [BitConverter]::GetBytes([uint64] 7300000000000000001) +
        [BitConverter]::GetBytes([uint32] $bytes.Length) + [BitConverter]::GetBytes([uint32] 8192)
    [Array]::Copy([byte[]] $header, $bytes, 40)
    $null = New-Item -ItemType Directory (Join-Path $TestDrive 'pg_wal')
    $segment = Join-Path $TestDrive "pg_wal/$name"
    [IO.File]::WriteAllBytes($segment, $bytes)

    # Everything that a command says, on every stream.
    function Get-Everything {
        param([scriptblock] $Script)
        $VerbosePreference = $DebugPreference = $InformationPreference = 'Continue'
        & { try { & $Script } catch { $_; $_.Exception; $_.ErrorDetails; $_.TargetObject } } *>&1 | Format-List * -Force | Out-String -Width 500
    }
}

Describe 'New-PgBackupKey' {
    It 'writes a key for its owner alone, and warns' {
        $path = Join-Path $TestDrive 'new.key'
        $made = New-PgBackupKey $path -WarningVariable warnings -WarningAction SilentlyContinue
        $made.Path | Should -Be $path
        $made.Transform | Should -Be 'Base64'
        $made.Settings['WALG_LIBSODIUM_KEY_PATH'] | Should -Be $path
        $warnings | Should -Match 'copy'
        [IO.File]::GetUnixFileMode($path) | Should -Be ([IO.UnixFileMode] 'UserRead, UserWrite')
        [Convert]::FromBase64String((Get-Content $path)).Count | Should -Be 32
    }

    It 'never overwrites' {
        $path = Join-Path $TestDrive 'kept.key'
        Set-Content $path 'kept'
        { New-PgBackupKey $path } | Should -Throw -ErrorId 'KeyFileExists,*'
        Get-Content $path | Should -Be 'kept'
    }

    It 'writes nothing under -WhatIf' {
        New-PgBackupKey (Join-Path $TestDrive 'none.key') -WhatIf | Should -BeNullOrEmpty
        Join-Path $TestDrive 'none.key' | Should -Not -Exist
    }

    It 'shows the key on no stream' {
        $text = Get-Everything { New-PgBackupKey (Join-Path $TestDrive 'silent.key'); New-PgBackupKey (Join-Path $TestDrive 'silent.key') }
        $text | Should -Match 'KeyId'
        $text | Should -Not -Match ([regex]::Escape((Get-Content (Join-Path $TestDrive 'silent.key'))))
    }

    It 'prints what to do with it in 80 columns' {
        $text = New-PgBackupKey (Join-Path $TestDrive 'view.key') -WarningAction SilentlyContinue | Out-String -Width 80
        $text | Should -Match 'KeyId\s+: [0-9a-f]{4}(-[0-9a-f]{4}){4}'
        $text | Should -Match 'WALG_LIBSODIUM_KEY_TRANSFORM=base64'
    }
}

Describe '-EncryptionKey' {
    BeforeAll {
        $keyFile = Join-Path $TestDrive 'repository.key'
        $made = New-PgBackupKey $keyFile -WarningAction SilentlyContinue
        $text = Get-Content $keyFile
        $null = Push-PgWal $segment -Repository $repository -EncryptionKey $keyFile
        $other = New-PgBackupKey -AsSecureString -WarningAction SilentlyContinue
    }

    AfterEach { foreach ($variable in $saved.Keys) { [Environment]::SetEnvironmentVariable($variable, $saved[$variable]) } }

    It 'takes a path, a file and a SecureString' {
        foreach ($key in $keyFile, (Get-Item $keyFile), $made, (ConvertTo-SecureString $text -AsPlainText -Force)) {
            (Push-PgWal $segment -Repository $repository -EncryptionKey $key).Status | Should -Be 'AlreadyStored'
        }
        Push-Location $TestDrive
        try { (Push-PgWal $segment -Repository $repository -EncryptionKey ./repository.key).Status | Should -Be 'AlreadyStored' }
        finally { Pop-Location }
    }

    It 'is the key of the settings that New-PgBackupKey names' {
        foreach ($entry in $made.Settings.GetEnumerator()) { [Environment]::SetEnvironmentVariable($entry.Key, $entry.Value) }
        (Push-PgWal $segment -Repository $repository).Status | Should -Be 'AlreadyStored'
    }

    It 'is proven: a wrong one is named, with the right one, within a second' {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        { Push-PgWal $segment -Repository $repository -EncryptionKey $other } | Should -Throw -ErrorId 'EncryptionKeyInvalid,*' -ExpectedMessage "*$($made.KeyId)*"
        { Restore-PgWal $name "$TestDrive/out" -Repository $repository -EncryptionKey $other } | Should -Throw -ErrorId 'EncryptionKeyInvalid,*'
        { Get-PgRecoveryWindow -Repository $repository -EncryptionKey $other } | Should -Throw -ErrorId 'EncryptionKeyInvalid,*'
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 3
        { Restore-PgWal $name "$TestDrive/out" -Repository $repository } | Should -Throw -ErrorId 'EncryptionKeyRequired,*'
        "$TestDrive/out" | Should -Not -Exist
    }

    It 'ends a restore_command with 126 when it is wrong, and a push with 12' {
        $wrong = (New-PgBackupKey (Join-Path $TestDrive 'wrong.key') -WarningAction SilentlyContinue).Path
        $module = (Get-Module PgBackup).Path
        foreach ($file in $name, '000000010000000000000009') {
            & ([Environment]::ProcessPath) -NoProfile -NonInteractive -Command "Import-Module '$module'; Restore-PgWal $file '$TestDrive/out' -Repository '$repository' -EncryptionKey '$wrong'" *> $null
            $LASTEXITCODE | Should -Be 126
        }
        & ([Environment]::ProcessPath) -NoProfile -NonInteractive -Command "Import-Module '$module'; Push-PgWal '$segment' -Repository '$repository' -EncryptionKey '$wrong'" *> $null
        $LASTEXITCODE | Should -Be 12
    }

    It 'is not shown, given rightly or where its file is meant' {
        foreach ($key in $keyFile, $text, (ConvertTo-SecureString $text -AsPlainText -Force)) {
            Get-Everything { Push-PgWal $segment -Repository $repository -EncryptionKey $key; Restore-PgWal $name "$TestDrive/got" -Repository $repository -EncryptionKey $key } |
                Should -Not -Match ([regex]::Escape($text))
        }
        { Push-PgWal $segment -Repository $repository -EncryptionKey $text } | Should -Throw -ErrorId 'EncryptionKeyMalformed,*'
    }

    It 'is refused where nothing is encrypted' {
        $plain = Join-Path $TestDrive 'plain'
        $null = Push-PgWal $segment -Repository $plain
        { Push-PgWal $segment -Repository $plain -EncryptionKey $keyFile } | Should -Throw -ErrorId 'RepositoryNotEncrypted,*'
    }
}

Describe 'PGP' {
    AfterEach { foreach ($variable in $saved.Keys) { [Environment]::SetEnvironmentVariable($variable, $saved[$variable]) } }

    It 'says what is missing when gpg is' {
        $null = Push-PgWal $segment -Repository $repository
        $ring = Join-Path $TestDrive 'private.asc'
        Set-Content $ring 'a key'
        $env:WALG_PGP_KEY_PATH = $ring
        $env:PATH = Join-Path $TestDrive 'empty'
        { Restore-PgWal $name "$TestDrive/out" -Repository $repository } | Should -Throw -ErrorId 'GpgMissing,*'
    }
}
