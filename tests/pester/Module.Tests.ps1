# What every command of the module owes its users.
BeforeDiscovery {
    Import-Module PgBackup
    $commands = Get-Command -Module PgBackup | ForEach-Object { @{ Command = $_; Name = $_.Name } }
}

BeforeAll {
    $module = Get-Module PgBackup
    $manifest = Import-PowerShellDataFile (Join-Path $module.ModuleBase 'PgBackup.psd1')
    $common = [Management.Automation.PSCmdlet]::CommonParameters + [Management.Automation.PSCmdlet]::OptionalCommonParameters
}

Describe 'The module' {
    It 'exports exactly what its manifest names' {
        (Get-Command -Module PgBackup).Name | Sort-Object | Should -Be ($manifest.CmdletsToExport | Sort-Object)
    }

    It 'has topics' {
        Get-ChildItem (Join-Path $module.ModuleBase 'en-US') -Filter 'about_PgBackup*.help.txt' | Should -Not -BeNullOrEmpty
    }

    It 'ships neither PowerShell itself nor symbols' {
        Get-ChildItem $module.ModuleBase -Recurse -Include System.Management.Automation.dll, *.pdb | Should -BeNullOrEmpty
    }

    It 'loads its views without complaint' {
        foreach ($file in $manifest.FormatsToProcess) { { Update-FormatData -PrependPath (Join-Path $module.ModuleBase $file) -ErrorAction Stop } | Should -Not -Throw }
    }
}

Describe '<Name>' -ForEach $commands {
    It 'has an approved verb and the prefix' {
        $Command.Verb | Should -BeIn (Get-Verb).Verb
        $Command.Noun | Should -MatchExactly '^Pg[A-Z]'
    }

    It 'says what it writes' {
        $Command.OutputType | Should -Not -BeNullOrEmpty
    }

    It 'has help with a synopsis, two examples and every parameter' {
        $help = Get-Help $Name -Full
        $help.Synopsis | Should -Not -BeNullOrEmpty
        $help.Synopsis | Should -Not -Match ([regex]::Escape("$Name ["))
        @($help.Examples.Example).Count | Should -BeGreaterOrEqual 2
        foreach ($parameter in $Command.Parameters.Keys | Where-Object { $_ -notin $common }) {
            ($help.Parameters.Parameter | Where-Object Name -eq $parameter).Description.Text | Should -Not -BeNullOrEmpty -Because "-$parameter of $Name needs a description"
        }
    }

    It 'asks before it changes something' {
        if ($Command.Verb -notin 'Get', 'Push', 'Receive', 'Test' -and $Name -notin 'Restore-PgWal', 'New-PgRetentionPolicy') { $Command.Parameters.Keys | Should -Contain 'WhatIf' }
    }

    It 'has no parameter for a password in plain text' {
        $Command.Parameters.Keys | Should -Not -Contain 'Password'
    }
}
