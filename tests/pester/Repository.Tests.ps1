# The doctor and the summary of a repository, as an operator and as a runbook use them: what is in order, and each mistake that a first day brings.
BeforeAll {
    Import-Module "$PSScriptRoot/Cluster.psm1"
    Import-Module PgBackup
    $folder = [IO.Directory]::CreateTempSubdirectory('pgbackup-doctor-').FullName
    chmod 755 $folder
    $repository = Join-Path $folder 'repository'
    $null = New-Item -ItemType Directory $repository
    if ([Environment]::IsPrivilegedProcess) { chown postgres: $repository }

    # A process of its own; returns the exit code and what it printed.
    function Invoke-Shell {
        param([string] $Text)
        $output = pwsh -NoProfile -NonInteractive -Command $Text 2>&1
        [pscustomobject] @{ ExitCode = $LASTEXITCODE; Output = $output -join "`n" }
    }
}

AfterAll {
    Remove-Item -LiteralPath $folder -Recurse -Force
}

Describe 'A repository in order' {
    It 'passes every check, one object each, and is left as it was' {
        $checks = Test-PgBackupRepository -Repository $repository -ErrorVariable failure
        $checks.Status | Should -Not -Contain Failed
        $checks | Should -HaveCount 27
        $failure | Should -BeNullOrEmpty
        Get-ChildItem $repository -Force | Should -BeNullOrEmpty
    }

    It 'shows each check as soon as it is done' {
        $first = Test-PgBackupRepository -Repository $repository | Select-Object -First 1
        $first.Name | Should -Be 'Connection'
        $first.Duration | Should -BeLessThan ([timespan]::FromSeconds(5))
    }

    It 'leaves nothing behind when somebody has seen enough in the middle' {
        Test-PgBackupRepository -Repository $repository | Where-Object Name -eq Copy | Select-Object -First 1 | Should -Not -BeNullOrEmpty
        Get-ChildItem $repository -Force | Should -BeNullOrEmpty
    }

    It 'fits 80 columns, and breaks no word' {
        $lines = (Test-PgBackupRepository -Repository $repository | Out-String -Width 80) -split "`n" | ForEach-Object TrimEnd
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
        $lines -join ' ' -replace '\s+', ' ' | Should -Match 'What is there is not replaced, and of 4 puts at once one won\.'
    }

    It 'tries only what is asked for' {
        (Test-PgBackupRepository -Repository $repository -Check Put, Delete).Name | Should -Be 'Put', 'Delete'
        (Test-PgBackupRepository -Repository $repository -ExcludeCheck Throughput).Name | Should -Not -Contain 'Throughput'
        (Test-PgBackupRepository -Repository $repository -SkipWrite).Name | Should -Not -Contain 'Put'
    }

    It 'answers true, and ends with 0' {
        Test-PgBackupRepository -Repository $repository -Quiet | Should -BeTrue
        (Invoke-Shell "`$null = Test-PgBackupRepository -Repository '$repository'").ExitCode | Should -Be 0
    }

    It 'has a summary that binds to the other cmdlets' {
        $summary = Get-PgBackupRepository -Repository $repository
        $summary.FullBackupCount | Should -Be 0
        $summary.Kind | Should -Be 'Directory'
        ($summary | Test-PgBackupRepository -Check List).Status | Should -Be 'Passed'
        ($summary | Out-String -Width 80) -split "`n" | ForEach-Object { $_.TrimEnd().Length | Should -BeLessOrEqual 80 }
    }
}

Describe 'A repository that is not in order' {
    It 'is one failed check and an error with its own id when it is not there' {
        $checks = Test-PgBackupRepository -Repository "$folder/mistyped" -ErrorVariable failure -ErrorAction SilentlyContinue
        $checks | Should -HaveCount 1
        $checks.Name, $checks.Status | Should -Be 'Connection', 'Failed'
        $checks.Recommendation | Should -Match '-Repository'
        $failure[0].FullyQualifiedErrorId | Should -Be 'RepositoryCheckFailed,PgBackup.PowerShell.Repositories.TestPgBackupRepositoryCommand'
        "$folder/mistyped" | Should -Not -Exist
    }

    It 'answers false without an error' {
        Test-PgBackupRepository -Repository "$folder/mistyped" -Quiet -ErrorVariable failure | Should -BeFalse
        $failure | Should -BeNullOrEmpty
    }

    It 'ends with 14 in a scheduler, also when the script goes on, and with -ErrorAction Stop' {
        (Invoke-Shell "Test-PgBackupRepository -Repository '$folder/mistyped'; 'goes on'").ExitCode | Should -Be 14
        (Invoke-Shell "`$ErrorActionPreference = 'Stop'; Test-PgBackupRepository -Repository '$folder/mistyped'; 'goes on'").ExitCode | Should -Be 14
    }

    It 'names the right that an account lacks, and reads what it may' {
        $closed = Join-Path $folder 'closed'
        $null = New-Item -ItemType Directory "$closed/pgbackup_v1"
        Set-Content "$closed/pgbackup_v1/note.txt" 'read me'
        chmod 755 $closed "$closed/pgbackup_v1"
        chmod 644 "$closed/pgbackup_v1/note.txt"
        $text = "Test-PgBackupRepository -Repository '$closed' -ErrorAction Ignore | ForEach-Object { `"`$(`$_.Name) `$(`$_.Status)`" }"
        $lines = Invoke-AsServerAccount env "HOME=$folder", ([Environment]::ProcessPath), '-NoProfile', '-NonInteractive', '-Command', "$text; exit 0"
        $lines | Should -Contain 'Credentials Warning'
        $lines | Should -Contain 'List Passed'
        $lines | Should -Contain 'Get Passed'
        $lines | Should -Contain 'Put Failed'
        $lines | Should -Contain 'Delete Failed'
        $lines | Should -Contain 'Multipart Failed'
    }
}

Describe 'A bucket that cannot be used' {
    BeforeAll {
        $credential = [pscredential]::new('nobody', (ConvertTo-SecureString 'canary-4711' -AsPlainText))
    }

    It 'says so in seconds, and shows no secret' {
        $clock = [Diagnostics.Stopwatch]::StartNew()
        $checks = Test-PgBackupRepository -Repository s3://backups/db1 -EndpointUrl http://127.0.0.1:9 -Region us-east-1 -StorageCredential $credential -ErrorAction Ignore
        $clock.Elapsed | Should -BeLessThan ([timespan]::FromSeconds(15))
        $checks.Name, $checks.Status | Should -Be 'Connection', 'Failed'
        $checks.Message | Should -Match 'http://127\.0\.0\.1:9'
        $checks | Format-List | Out-String | Should -Not -Match 'canary-4711'
    }

    It 'says that a profile is missing' {
        $checks = Test-PgBackupRepository -Repository s3://backups/db1 -EndpointUrl http://127.0.0.1:9 -ProfileName no-such-profile -ErrorAction Ignore
        ($checks | Where-Object Status -eq Failed).Name | Should -Be 'Credentials'
        ($checks | Where-Object Status -eq Failed).Message | Should -Match 'no-such-profile'
    }
}
