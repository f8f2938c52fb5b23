using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Wal.Archiving;

/// <summary>
/// Turns WAL archiving on by ALTER SYSTEM: first a plan, then the changes (PostgreSQL documentation, "Setting Up WAL Archiving").
/// </summary>
public static class WalArchiving
{
    /// <summary>How long a segment waits at most before it is archived, where the server has no bound and none is asked for.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan s_reloadPatience = TimeSpan.FromSeconds(5);

    /// <summary>What would be changed. Nothing is. Throws what the session throws.</summary>
    /// <param name="session">The server.</param>
    /// <param name="archiveCommand">The command to set.</param>
    /// <param name="archiveTimeout">The bound to set; null keeps the server's, or sets <see cref="DefaultTimeout"/> where it has none.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<WalArchivingPlan> PlanAsync(
        ServerSession session, string archiveCommand, TimeSpan? archiveTimeout = null, CancellationToken cancellationToken = default)
    {
        ServerSettings settings = await ServerSettings.ReadAsync(session, cancellationToken).ConfigureAwait(false);
        var planned = new List<WalArchivingSetting>();
        void Add(string name, string value)
        {
            if (settings[name] is { } setting)
                planned.Add(Plan(session, setting, value));
        }

        string level = settings.ValueOf("wal_level");
        Add("wal_level", level is "replica" or "logical" ? level : "replica");
        string mode = settings.ValueOf("archive_mode");
        Add("archive_mode", mode is "on" or "always" ? mode : "on");
        // From 15 on; a library takes precedence in 15 and is refused beside a command from 16 on.
        Add("archive_library", "");
        Add("archive_command", archiveCommand);
        TimeSpan timeout = archiveTimeout ?? (settings.ArchiveTimeout > TimeSpan.Zero ? settings.ArchiveTimeout : DefaultTimeout);
        Add("archive_timeout", ((int)Math.Ceiling(timeout.TotalSeconds)).ToString(CultureInfo.InvariantCulture));
        return new WalArchivingPlan(planned, await WarningsAsync(session, settings, planned, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>
    /// Refuses a server whose cluster the repository does not belong to, and a key that is not the repository's, before the first segment is refused; a repository that does not
    /// exist yet is fine. Throws <c>ClusterIdentityMismatch</c> and what <see cref="RepositoryEncryption.ProveForWritingAsync"/> throws.
    /// </summary>
    public static async Task RequireIdentityAsync(ServerSession session, BackupRepository repository, CancellationToken cancellationToken = default)
    {
        ulong cluster = unchecked((ulong)await session.ScalarAsync<long>("SELECT system_identifier FROM pg_control_system()", cancellationToken).ConfigureAwait(false));
        await RepositoryEncryption.ProveForWritingAsync(repository, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<ClusterIdentity> known;
        try
        {
            known = await RepositoryIdentity.ListAsync(repository, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return;
        }
        if (known.Count > 0 && !known.Any(identity => identity.SystemIdentifier == cluster))
            throw PgErrors.ClusterIdentityMismatch(repository.Location, cluster, known[0].SystemIdentifier);
    }

    /// <summary>
    /// Makes the changes of a plan; returns the settings with what they still need. Throws <c>AlterSystemNotAllowed</c> before the first change, and what the
    /// session throws: changes made before stay in postgresql.auto.conf, without effect until a reload.
    /// </summary>
    /// <param name="session">The server.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="reload">Whether to have the server read its configuration again.</param>
    /// <param name="cancellationToken">Stops it between two changes.</param>
    public static async Task<IReadOnlyList<WalArchivingSetting>> ApplyAsync(
        ServerSession session, WalArchivingPlan plan, bool reload = true, CancellationToken cancellationToken = default)
    {
        if (!plan.HasChanges)
            return plan.Settings;
        ServerSettings before = await ServerSettings.ReadAsync(session, cancellationToken).ConfigureAwait(false);
        if (before.ValueOf("allow_alter_system") == "off")
            throw PgErrors.AlterSystemNotAllowed(session.Server, [.. plan.Settings.Where(s => s.IsChanged).Select(s => $"{s.Name} = {Literal(s.NewValue)}")]);
        foreach (WalArchivingSetting setting in plan.Settings)
        {
            if (setting.IsChanged)
                await session.ExecuteAsync($"ALTER SYSTEM SET {setting.Name} = {Literal(setting.NewValue)}", cancellationToken).ConfigureAwait(false);
        }
        if (!reload)
            return plan.Settings;
        if (!await session.ScalarAsync<bool>("SELECT pg_reload_conf()", cancellationToken).ConfigureAwait(false))
            throw PgErrors.ReloadFailed(session.Server);
        return await SettleAsync(session, plan, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A reload is a signal: wait until its effect shows.</summary>
    private static async Task<IReadOnlyList<WalArchivingSetting>> SettleAsync(ServerSession session, WalArchivingPlan plan, CancellationToken cancellationToken)
    {
        DateTime patience = DateTime.UtcNow + s_reloadPatience;
        while (true)
        {
            ServerSettings now = await ServerSettings.ReadAsync(session, cancellationToken).ConfigureAwait(false);
            WalArchivingSetting[] settled = [.. plan.Settings.Select(s => s.Needs == SettingNeeds.Reload && now.ValueOf(s.Name) == s.NewValue ? s with { Needs = SettingNeeds.Nothing } : s)];
            if (DateTime.UtcNow > patience || !Array.Exists(settled, s => s.Needs == SettingNeeds.Reload))
                return settled;
            await Task.Delay(50, cancellationToken).ConfigureAwait(false);
        }
    }

    private static WalArchivingSetting Plan(ServerSession session, ServerSetting setting, string value)
    {
        bool differs = setting.Value != value;
        SettingNeeds needs = setting.IsFixedByCommandLine && differs ? SettingNeeds.RemovalElsewhere
            : setting.NeedsRestart && (differs || setting.PendingRestart) ? SettingNeeds.Restart
            : differs ? SettingNeeds.Reload
            : SettingNeeds.Nothing;
        return new WalArchivingSetting
        {
            Name = setting.Name,
            OldValue = setting.Value,
            NewValue = value,
            // Equal but pending: the file holds something else, which the next restart would bring.
            IsChanged = differs || setting.PendingRestart,
            Needs = needs,
            Source = setting.Source,
            Server = session.Server,
        };
    }

    private static async Task<IReadOnlyList<string>> WarningsAsync(
        ServerSession session, ServerSettings settings, List<WalArchivingSetting> planned, CancellationToken cancellationToken)
    {
        var warnings = new List<string>();
        foreach (WalArchivingSetting setting in planned)
        {
            if (setting.Needs == SettingNeeds.RemovalElsewhere)
                warnings.Add($"{setting.Name} comes from the server's {setting.Source} ('{setting.OldValue}'), which hides the new value: remove it there and restart the server.");
        }
        if (settings.ValueOf("archive_library").Length > 0)
            warnings.Add($"archive_library is '{settings.ValueOf("archive_library")}' and excludes archive_command: it is reset.");
        if (settings.ValueOf("archive_command") is { Length: > 0 } old && settings.IsArchiving && planned.Exists(s => s.Name == "archive_command" && s.IsChanged))
            warnings.Add($"The server archives by another command already, which is replaced: {old}");
        if (await session.ScalarAsync<bool>("SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false) && settings.ValueOf("archive_mode") != "always")
            warnings.Add("The server is a standby: it archives only after a promotion. Turn archiving on at its primary as well.");
        return warnings;
    }

    // standard_conforming_strings may be off; the E form reads the same either way.
    private static string Literal(string value) =>
        $"E'{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>What the user must know of a command's key, null when nothing.</summary>
    public static string? KeyWarning(EntryCommand command) => command.RequireKey
        ? "The encryption key came without a file and is not written into archive_command: the server's own environment must hold it (WALG_LIBSODIUM_KEY), or archiving fails. "
          + "A file that the server's account can read (-EncryptionKey, WALG_LIBSODIUM_KEY_PATH) needs no such thing."
        : null;
}
