BeforeAll {
    # A run of its own over one file of tests, in a process of its own; returns the exit code.
    function Invoke-TestRun {
        param([string] $Test, [bool] $Exit)
        $file = "$TestDrive/Inner.Tests.ps1"
        Set-Content -LiteralPath $file -Value "Describe 'inner' { It 'test' { $Test } }"
        $null = pwsh -NoProfile -NonInteractive -Command "`$c = New-PesterConfiguration; `$c.Run.Path = '$file'; `$c.Run.Exit = `$$Exit; Invoke-Pester -Configuration `$c" 2>&1
        $LASTEXITCODE
    }

    $failingPush = "Push-PgWal '$TestDrive/none' -Repository '$TestDrive/repository'"
}

Describe 'A WAL cmdlet that fails inside a test' {
    It 'leaves the exit code to Pester: <Expected> with Run.Exit <Exit> when the test <Outcome>' -ForEach @(
        @{ Outcome = 'expects it'; Exit = $true; Expected = 0 }
        @{ Outcome = 'expects it'; Exit = $false; Expected = 0 }
        @{ Outcome = 'fails'; Exit = $true; Expected = 1 }
    ) {
        $test = if ($Outcome -eq 'fails') { $failingPush } else { "{ $failingPush } | Should -Throw" }
        Invoke-TestRun $test $Exit | Should -Be $Expected
    }

    It 'would have set it outside of a test' {
        $null = pwsh -NoProfile -NonInteractive -Command "try { $failingPush } catch { 'caught' }" 2>&1
        $LASTEXITCODE | Should -BeGreaterThan 0
    }
}
