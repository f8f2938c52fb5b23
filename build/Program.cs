using PgBackup.Build;
using PgBackup.Build.Tasks;

BuildTask[] tasks = [new BuildModuleTask(), new TestTask(), new DemoTask(), new BenchTask(), new PackageTask(), new CleanTask()];
BuildTask[] available = [.. tasks.Where(t => t.IsAvailable)];

BuildTask? task = args.Length == 0 ? available[0] : Array.Find(available, t => string.Equals(t.Name, args[0], StringComparison.OrdinalIgnoreCase));
if (task is null)
{
    Console.Error.WriteLine($"There is no task '{args[0]}'. Tasks:");
    foreach (BuildTask known in available)
        Console.Error.WriteLine($"  {known.Name,-8} {known.Summary}");
    return 2;
}
try
{
    return await task.RunAsync(args.Length == 0 ? [] : args[1..]);
}
catch (BuildException error)
{
    Console.Error.WriteLine($"{task.Name}: {error.Message}");
    return 1;
}
