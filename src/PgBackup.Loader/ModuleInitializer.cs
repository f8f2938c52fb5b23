using System.Management.Automation;
using System.Reflection;
using System.Runtime.Loader;

namespace PgBackup.Loader;

/// <summary>
/// Makes the engine visible to the cmdlets. PowerShell runs this when it loads the module's nested assembly, before it looks at the
/// cmdlets: their public types hold fields of the engine's value types, which cannot be laid out before the engine is found.
/// </summary>
public sealed class ModuleInitializer : IModuleAssemblyInitializer
{
    private static readonly Lazy<EngineLoadContext> s_context = new(() =>
        new EngineLoadContext(Path.Combine(Path.GetDirectoryName(typeof(ModuleInitializer).Assembly.Location)!, "engine")));

    // A type's initializer runs once, and the runspaces that import at the same instant wait until it has ended.
    static ModuleInitializer() => AssemblyLoadContext.Default.Resolving += Resolve;

    /// <summary>
    /// Answers for the engine's name, and for no other, from the module's own context. The answer stays for as long as the process lives:
    /// a runspace that removes the module must not take the engine from another one that still uses it, and loaded code cannot be unloaded.
    /// </summary>
    public void OnImport()
    {
        // What there is to do is done once in a process, by the type's initializer.
    }

    private static Assembly? Resolve(AssemblyLoadContext context, AssemblyName name) =>
        name.Name == EngineLoadContext.EngineName ? s_context.Value.LoadFromAssemblyName(name) : null;
}
