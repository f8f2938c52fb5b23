namespace PgBackup.Build.Tasks;

/// <summary>All tests: xunit, then the Pester runbooks in a real PowerShell.</summary>
internal sealed class TestTask : BuildTask
{
    private static string Results => Path.Combine(Layout.Out, "test-results");

    /// <inheritdoc/>
    public override string Name => "Test";

    /// <inheritdoc/>
    public override string Summary => "build, and run all tests; -Full adds the long ones";

    /// <inheritdoc/>
    public override async Task<int> RunAsync(string[] arguments)
    {
        bool full = arguments.Any(a => string.Equals(a.TrimStart('-'), "full", StringComparison.OrdinalIgnoreCase));
        if (arguments.Length > (full ? 1 : 0))
            throw new BuildException("Test takes -Full, and nothing else.");
        await Prerequisites.EnsureAsync([.. Prerequisites.Server, .. Prerequisites.Codecs]);
        await StoreRoots.EnsureAsync();
        await PostgresRoots.EnsureAsync();
        await ClientRoots.EnsureAsync();
        int code = await new BuildModuleTask().RunAsync([]);
        if (code != 0)
            return code;
        if (Directory.Exists(Results))
            Directory.Delete(Results, recursive: true);
        TestCount count = await RunUnitTestsAsync(full) + await PesterRunbooks.RunAsync(Results, full);
        Console.WriteLine($"{count.Passed} passed, {count.Failed} failed");
        return count is { Passed: > 0, Failed: 0 } ? 0 : 1;
    }

    private static async Task<TestCount> RunUnitTestsAsync(bool full)
    {
        List<string> arguments =
        [
            "test", "tests/unit/PgBackup.Tests.csproj", "-c", "Release", "--nologo", "-v", "quiet", "--results-directory", Results, "--logger", "trx;LogFileName=unit.trx",
        ];
        if (!full)
            arguments.AddRange(["--filter", "Category!=Full"]);
        int code = await Run.CodeAsync("dotnet", arguments);
        return TestCount.OfRun("The xunit tests", code, Path.Combine(Results, "unit.trx"), TestCount.FromTrx);
    }
}
