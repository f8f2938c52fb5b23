using System.Reflection;

namespace PgBackup.Repository;

/// <summary>How this program names itself in the documents that it writes.</summary>
internal static class ProgramIdentity
{
    /// <summary>PgBackup and its version.</summary>
    public static readonly string Text =
        "PgBackup " + typeof(ProgramIdentity).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
