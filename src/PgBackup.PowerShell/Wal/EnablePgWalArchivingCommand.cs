using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal;

namespace PgBackup.PowerShell.Wal;

/// <summary>Turns WAL archiving into the repository on: sets what is needed by ALTER SYSTEM and says what the server still needs.</summary>
[Cmdlet(VerbsLifecycle.Enable, "PgWalArchiving", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(WalArchivingSetting))]
public sealed class EnablePgWalArchivingCommand : PgServerCmdlet
{
    private ServerConnectionSettings _server = null!;
    private RepositorySettings? _settings;
    private EntryCommand? _entry;

    /// <summary>How long a segment waits at most before it is archived; the server's own bound, or 60 s where it has none.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan? ArchiveTimeout { get; set; }

    /// <summary>The command to set as archive_command in place of the module's own.</summary>
    [Parameter]
    [Alias("Command")]
    [ValidateNotNullOrEmpty]
    public string? ArchiveCommand { get; set; }

    /// <summary>Leaves the reload of the server's configuration to somebody else.</summary>
    [Parameter]
    public SwitchParameter NoReload { get; set; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _server = ResolveServer();
        if (ArchiveCommand is not null)
            return;
        _settings = ResolveRepository();
        _entry = EntryCommand.For(EntryScripts.FolderFor(this), _settings.Location);
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        await using ServerSession session = await ServerSession.OpenMaintenanceAsync(_server, cancellationToken);
        if (_settings is not null)
            await WalArchiving.RequireIdentityAsync(session, BackupRepository.Open(_settings), cancellationToken);
        WalArchivingPlan plan = await WalArchiving.PlanAsync(session, ArchiveCommand ?? _entry!.ArchiveCommand, ArchiveTimeout, cancellationToken);
        foreach (string warning in plan.Warnings)
            pipeline.Log.Warning(warning);
        if (_entry is not null && WalArchiving.KeyWarning(_entry) is { } keyWarning)
            pipeline.Log.Warning(keyWarning);

        var confirmed = new List<WalArchivingSetting>();
        foreach (WalArchivingSetting setting in plan.Settings)
        {
            if (!setting.IsChanged || await pipeline.ShouldProcessAsync($"{setting.Name} of the server {setting.Server}", $"Change '{setting.OldValue}' to '{setting.NewValue}'"))
                confirmed.Add(setting);
        }
        // Under -WhatIf nothing was confirmed: the plan is what there is to show.
        bool act = confirmed.Exists(setting => setting.IsChanged);
        IReadOnlyList<WalArchivingSetting> settings = act
            ? await WalArchiving.ApplyAsync(session, plan with { Settings = confirmed }, !NoReload, cancellationToken)
            : plan.Settings;
        await pipeline.WriteObjectAsync(settings, enumerate: true);
        if (act && settings.Any(setting => setting.Needs == SettingNeeds.Restart))
            pipeline.Log.Warning($"The server {session.Server} must be restarted before it archives.");
    }
}
