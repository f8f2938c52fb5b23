namespace PgBackup.Build;

/// <summary>Runs our PowerShell scripts with the staged module: in pwsh, or in the small host where there is no pwsh.</summary>
internal static class ScriptRunner
{
    private static readonly Version s_oldest = new(7, 6);

    /// <summary>The pwsh on PATH when it is new enough for the module, else null.</summary>
    public static async Task<string?> FindPwshAsync()
    {
        string? version = await Run.OutputAsync("pwsh", "-NoProfile", "-NonInteractive", "-Command", "\"$($PSVersionTable.PSVersion.Major).$($PSVersionTable.PSVersion.Minor)\"");
        return Version.TryParse(version, out Version? found) && found >= s_oldest ? Run.Which("pwsh") : null;
    }

    /// <summary>What a PowerShell process needs to find the staged module, and the entry scripts to find PowerShell.</summary>
    public static Dictionary<string, string> Environment(string program, params string[] moreModuleFolders)
    {
        // pwsh puts its own folders before and behind what it finds here.
        string given = System.Environment.GetEnvironmentVariable("PSModulePath") ?? "";
        return new Dictionary<string, string>
        {
            ["PSModulePath"] = string.Join(Path.PathSeparator, new[] { Layout.ModulePath }.Concat(moreModuleFolders).Append(given).Where(p => p.Length > 0)),
            ["PGBACKUP_POWERSHELL"] = program,
        };
    }

    /// <summary>Runs a script and returns its exit code.</summary>
    public static async Task<int> RunAsync(string script, string[] arguments)
    {
        string program = await FindPwshAsync() ?? Layout.Host;
        return await Run.CodeAsync(program, ["-NoProfile", "-NonInteractive", "-File", script, .. arguments], Environment(program));
    }
}
