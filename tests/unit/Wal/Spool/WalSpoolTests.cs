using System.Diagnostics;
using PgBackup.Configuration;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal.Native;
using PgBackup.Wal.Spool;

namespace PgBackup.Tests.Wal.Spool;

/// <summary>Where spools may be: what others can write to is no place.</summary>
public sealed class WalSpoolTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly NativeLab _lab = new();

    private string Root => Path.Combine(_lab.SpoolRoot, "pgbackup");

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void ItIsPrivateAndOneForEachPairOfServerAndRepository()
    {
        string folder = Open()!.Folder;
        Assert.Equal(Private, File.GetUnixFileMode(folder));
        Assert.Equal(Private, File.GetUnixFileMode(Root));
        Assert.Equal(folder, Open()!.Folder);
        Assert.NotEqual(folder, Open(settings: _lab.Settings with { Storage = new DirectorySettings("/elsewhere") })!.Folder);
        Assert.NotEqual(folder, Open(walFolder: _lab.DataFolder)!.Folder);
        // By whatever name the server's folder goes.
        string link = _lab.Folder.Combine("link");
        File.CreateSymbolicLink(link, _lab.WalFolder);
        Assert.Equal(folder, Open(walFolder: link)!.Folder);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void WhatOthersMayWriteToIsNotUsed(UnixFileMode more)
    {
        string folder = Open()!.Folder;
        foreach (string path in (string[])[folder, Root])
        {
            File.SetUnixFileMode(path, Private | more);
            Assert.Null(Open());
            File.SetUnixFileMode(path, Private);
            Assert.NotNull(Open());
        }
        File.SetUnixFileMode(Directory.CreateDirectory(Path.Combine(folder, "pushed")).FullName, Private | more);
        Assert.Throws<IOException>(() => new PushReceipts(Open()!));
    }

    [Fact]
    public async Task AFolderOfAnotherAccountIsNotUsed()
    {
        string folder = Open()!.Folder;
        foreach (string path in (string[])[folder, Root])
        {
            (await ToolProcess.RunAsync(new ProcessStartInfo("chown", ["nobody", path]))).EnsureSuccess();
            Assert.Null(Open());
            (await ToolProcess.RunAsync(new ProcessStartInfo("chown", ["root", path]))).EnsureSuccess();
            Assert.NotNull(Open());
        }
    }

    [Fact]
    public void ALinkIsNotFollowed()
    {
        Directory.CreateDirectory(_lab.SpoolRoot);
        string elsewhere = Directory.CreateDirectory(_lab.Folder.Combine("elsewhere"), Private).FullName;
        File.CreateSymbolicLink(Root, elsewhere);
        Assert.Null(Open());
        Assert.Empty(Directory.GetFileSystemEntries(elsewhere));
    }

    private WalSpool? Open(RepositorySettings? settings = null, string? walFolder = null) => WalSpool.TryOpen(settings ?? _lab.Settings, walFolder ?? _lab.WalFolder, OperationLog.None);
}
