namespace PgBackup;

/// <summary>What kind of base backup is asked for.</summary>
public enum BackupTypeRequest
{
    /// <summary>The whole cluster.</summary>
    Full,

    /// <summary>What changed since a parent; an error where there is none to rest on.</summary>
    Delta,

    /// <summary>A delta while the chain is short enough and the newest backup can be its parent, otherwise a full one.</summary>
    Auto,
}
