namespace PgBackup.Build;

/// <summary>Runs <c>tests/pester</c> in a child pwsh, getting pwsh and Pester from their feeds where they are missing.</summary>
internal static class PesterRunbooks
{
    private static readonly Version s_oldestPester = new(5, 7);

    private static string Tools => Path.Combine(Layout.Out, "tools");

    private static string ToolModules => Path.Combine(Tools, "modules");

    /// <summary>Runs them; says in one line when it cannot.</summary>
    public static async Task<TestCount> RunAsync(string results, bool full)
    {
        string runbooks = Layout.Combine("tests", "pester");
        if (await ScriptRunner.FindPwshAsync() is not { } pwsh)
        {
            Console.WriteLine("The Pester runbooks did not run: there is no pwsh 7.6 or later on PATH.");
            return default;
        }
        if (!await HasPesterAsync(pwsh) && !await InstallPesterAsync(pwsh))
        {
            Console.WriteLine($"The Pester runbooks did not run: this PowerShell has no Pester {s_oldestPester} or later, and it could not be installed.");
            return default;
        }
        Directory.CreateDirectory(results);
        string resultFile = Path.Combine(results, "pester.xml");
        using var module = new SharedModule();
        List<string> arguments = ["-NoProfile", "-NonInteractive", "-File", Layout.Combine("build", "Invoke-Runbook.ps1"), "-Path", runbooks, "-ResultFile", resultFile, "-ModulePath", module.ModulePath];
        if (full)
            arguments.Add("-Full");
        int code = await Run.CodeAsync(pwsh, arguments, ScriptRunner.Environment(pwsh, ToolModules));
        return TestCount.OfRun("The Pester runbooks", code, resultFile, TestCount.FromNUnit);
    }

    private static async Task<bool> HasPesterAsync(string pwsh)
    {
        string search = $"$env:PSModulePath += [IO.Path]::PathSeparator + '{ToolModules}'; "
            + "(Get-Module -ListAvailable Pester | Sort-Object Version -Descending | Select-Object -First 1).Version | ForEach-Object { \"$($_.Major).$($_.Minor)\" }";
        string? version = await Run.OutputAsync(pwsh, "-NoProfile", "-NonInteractive", "-Command", search);
        return Version.TryParse(version, out Version? found) && found >= s_oldestPester;
    }

    private static async Task<bool> InstallPesterAsync(string pwsh)
    {
        Directory.CreateDirectory(ToolModules);
        string install = $"Save-PSResource -Name Pester -Version '[{s_oldestPester}, 7.0)' -TrustRepository -Path '{ToolModules}' -ErrorAction Stop";
        return await Run.OutputAsync(pwsh, "-NoProfile", "-NonInteractive", "-Command", install) is not null && await HasPesterAsync(pwsh);
    }
}
