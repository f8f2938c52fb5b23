BeforeAll {
    # Each case needs a session of its own: what is loaded stays loaded.
    function Invoke-Session {
        param([string] $Script)
        # Without colours: their escape characters have no place in a file of results.
        $output = pwsh -NoProfile -NonInteractive -Command "`$PSStyle.OutputRendering = 'PlainText'; $Script" 2>&1
        if ($LASTEXITCODE -ne 0) { throw "The session ended with ${LASTEXITCODE}: $($output -join "`n")" }
        $output | ForEach-Object { "$_" }
    }

    # Goes through the engine into Npgsql, to a port where nobody listens.
    $useNpgsql = "try { Backup-PgCluster -HostName 127.0.0.1 -Port 1 -Repository '$TestDrive/repository' } catch { `$_.FullyQualifiedErrorId }"
    $getCommands = '(Get-Command -Module PgBackup).Count'
    $expectedCount = (Import-PowerShellDataFile "$PSScriptRoot/../../PgBackup.psd1").CmdletsToExport.Count
}

Describe 'The module in a session of its own' {
    It 'is found and loaded by the name of a command' {
        Invoke-Session $useNpgsql | Should -BeLike 'ServerConnectionFailed,*'
    }

    It 'keeps its commands when it is imported again, with -Force, and after a removal' {
        Invoke-Session "Import-Module PgBackup; Import-Module PgBackup; $getCommands; Import-Module PgBackup -Force; $getCommands; $useNpgsql
            Remove-Module PgBackup; Import-Module PgBackup; $getCommands; $useNpgsql" |
            Should -Be @("$expectedCount", "$expectedCount", ($id = Invoke-Session $useNpgsql), "$expectedCount", $id)
    }

    It 'works in several runspaces at once' {
        $results = Invoke-Session "1..8 | ForEach-Object -ThrottleLimit 4 -Parallel { Import-Module PgBackup; $useNpgsql; Remove-Module PgBackup; Import-Module PgBackup -Force; $useNpgsql }"
        $results | Should -HaveCount 16
        $results | Should -BeLike 'ServerConnectionFailed,*'
    }

    It 'survives the removal in another runspace' {
        Invoke-Session "Import-Module PgBackup; 1 | ForEach-Object -Parallel { Import-Module PgBackup; Remove-Module PgBackup }; $useNpgsql" |
            Should -BeLike 'ServerConnectionFailed,*'
    }
}

Describe 'The module beside older versions of its dependencies' {
    BeforeAll {
        $build = dotnet build "$PSScriptRoot/fixtures/OlderPackages" --nologo -v quiet -o "$TestDrive/older" 2>&1
        if ($LASTEXITCODE -ne 0) { throw "The older packages could not be restored: $($build -join "`n")" }
        $loadOlder = "foreach (`$name in 'YamlDotNet', 'AWSSDK.Core', 'Npgsql') { `$null = [Reflection.Assembly]::LoadFrom(`"$TestDrive/older/`$name.dll`").GetTypes() }; "
        $versions = "[AppDomain]::CurrentDomain.GetAssemblies() | Where-Object { `$_.GetName().Name -in 'Npgsql', 'PgBackup.Engine' } |
            ForEach-Object { '{0} {1} in {2}' -f `$_.GetName().Name, `$_.GetName().Version.Major, [Runtime.Loader.AssemblyLoadContext]::GetLoadContext(`$_).Name } | Sort-Object"
    }

    It 'imports and works, with its own versions in a context of its own' {
        Invoke-Session "$loadOlder $useNpgsql; $versions" |
            Should -Be @(Invoke-Session $useNpgsql; 'Npgsql 10 in PgBackup'; 'Npgsql 9 in Default'; 'PgBackup.Engine 0 in PgBackup')
    }

    It 'reads a configuration file and asks a bucket with its own YamlDotNet and AWSSDK' {
        # Nobody listens there: the answer is that of the store's own code.
        Set-Content "$TestDrive/config.yaml" "repositories: { main: { location: 's3://bucket/x', endpointUrl: 'http://127.0.0.1:1', region: eu, maxRetries: 0 } }"
        $useStore = "Get-PgBackupConfiguration -ConfigPath '$TestDrive/config.yaml' -Repository main -Name repository.region | ForEach-Object Value
            `$credential = [pscredential]::new('a', (ConvertTo-SecureString 's' -AsPlainText -Force))
            try { Get-PgBackup -ConfigPath '$TestDrive/config.yaml' -Repository main -StorageCredential `$credential } catch { `$_.FullyQualifiedErrorId }"
        $own = "[AppDomain]::CurrentDomain.GetAssemblies() | Where-Object { `$_.GetName().Name -in 'YamlDotNet', 'AWSSDK.Core' } |
            ForEach-Object { '{0} {1} in {2}' -f `$_.GetName().Name, `$_.GetName().Version.Major, [Runtime.Loader.AssemblyLoadContext]::GetLoadContext(`$_).Name } | Sort-Object"
        $alone = Invoke-Session $useStore
        $alone[0] | Should -Be 'eu'
        $alone[1] | Should -BeLike '*,PgBackup.PowerShell.Backups.GetPgBackupCommand'
        $alone[1] | Should -Not -BeLike 'UnexpectedFailure*'
        Invoke-Session "$loadOlder $useStore; $own" |
            Should -Be @($alone; 'AWSSDK.Core 3 in Default'; 'AWSSDK.Core 4 in PgBackup'; 'YamlDotNet 16 in Default'; 'YamlDotNet 18 in PgBackup')
    }
}

Describe 'Native libraries' {
    BeforeAll {
        # A history file goes through compression and encryption like every other WAL file.
        $history = "$TestDrive/00000002.history"
        Set-Content -LiteralPath $history -Value "1`t0/3000000`tno recovery target specified"
        $null = New-Item -ItemType Directory "$TestDrive/encrypted"
        $push = "`$env:WALG_LIBSODIUM_KEY = '$('ab' * 32)'; `$env:WALG_LIBSODIUM_KEY_TRANSFORM = 'hex'; try { (Push-PgWal '$history' -Repository '$TestDrive/encrypted').Name } catch { `"`$_`" }"
    }

    It 'come from the folder of the module' {
        $maps = Invoke-Session "$push; Get-Content /proc/`$PID/maps | Select-String 'lib(zstd|sodium)' | ForEach-Object { (`$_ -split ' +', 6)[5] } | Sort-Object -Unique; (Get-Module PgBackup).ModuleBase"
        $maps[0] | Should -Be '00000002.history'
        $maps[1..($maps.Count - 2)] | Should -HaveCount 2
        $maps[1..($maps.Count - 2)] | Should -BeLike "$($maps[-1])/bin/engine/runtimes/*/native/lib*.so"
    }

    It 'are not taken from the system when the module lacks them' {
        Copy-Item -Recurse (Get-Module -ListAvailable PgBackup | Select-Object -First 1).ModuleBase "$TestDrive/cut/PgBackup"
        Remove-Item "$TestDrive/cut/PgBackup/bin/engine/runtimes/*/native/libsodium*"
        Invoke-Session "Import-Module '$TestDrive/cut/PgBackup'; $push; exit 0" | Select-Object -First 1 | Should -BeLike "*no native library 'libsodium'*"
    }
}
